#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include "nn/activation.h"
#include "nn/batch_invariant.h"
#include "nn/encoder_decoder.h"
#include "nn/group_norm.h"

// The two halves of an image tokenizer after MAGVIT-v2 (arXiv:2310.05737,
// section 3.2) as Open-MAGVIT2 has it (arXiv:2409.04410). Both have
// layers_per_block residual blocks a level, and as many in the middle, without
// attention; their 3x3 convolutions have no biases. Of ConvCoderConfig,
// block_types and conditions are not looked at. They work on slices of their
// batch (nn/sliced.h).
namespace calotype {

/// Images [N,C,H,W] -> [N,latent_channels,H/f,W/f], f = 2^(levels - 1). Where
/// the grid is halved, zeros stand on all sides.
class Magvit2EncoderImpl : public torch::nn::Module {
 public:
  explicit Magvit2EncoderImpl(const ConvCoderConfig& config);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  torch::Tensor forward_rows(torch::Tensor x);

  Activation activation_;
  Conv2d conv_in_{nullptr}, conv_out_{nullptr};
  torch::nn::ModuleList down_blocks_;
  std::shared_ptr<torch::nn::Module> mid_block_;
  GroupNorm conv_norm_out_{nullptr};
};
TORCH_MODULE(Magvit2Encoder);

/// Codes [N,latent_channels,h,w] -> images [N,C,h*f,w*f]. Before each level a
/// group norm is scaled and shifted channel by channel, by linear maps of the
/// codes' standard deviation and mean over their grid.
class Magvit2DecoderImpl : public torch::nn::Module {
 public:
  explicit Magvit2DecoderImpl(const ConvCoderConfig& config);
  torch::Tensor forward(const torch::Tensor& codes);

 private:
  torch::Tensor forward_rows(const torch::Tensor& codes);

  Activation activation_;
  Conv2d conv_in_{nullptr}, conv_out_{nullptr};
  std::shared_ptr<torch::nn::Module> mid_block_;
  torch::nn::ModuleList up_blocks_;
  GroupNorm conv_norm_out_{nullptr};
};
TORCH_MODULE(Magvit2Decoder);

}  // namespace calotype
