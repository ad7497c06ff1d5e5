#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

#include <vector>

#include "nn/activation.h"
#include "nn/mid_block.h"

// The two halves that diffusers' convolutional autoencoders share.
namespace calotype {

struct ConvCoderConfig {
  int64_t image_channels = 3;
  int64_t latent_channels = 4;  // of what the encoder puts out: 2D for a VAE
  std::vector<int64_t> block_channels;  // from the image inwards
  int64_t layers_per_block = 1;
  int64_t num_groups = 32;
  bool mid_attention = true;
  Activation activation = Activation::kSilu;
};

/// Images [N,C,H,W] -> [N,latent_channels,H/f,W/f], f = 2^(blocks - 1).
class EncoderImpl : public torch::nn::Module {
 public:
  explicit EncoderImpl(const ConvCoderConfig& config);
  torch::Tensor forward(torch::Tensor x);

 private:
  Activation activation_;
  torch::nn::Conv2d conv_in_{nullptr}, conv_out_{nullptr};
  torch::nn::ModuleList down_blocks_;
  MidBlock mid_block_{nullptr};
  torch::nn::GroupNorm conv_norm_out_{nullptr};
};
TORCH_MODULE(Encoder);

/// [N,latent_channels,h,w] -> images [N,C,h*f,w*f].
class DecoderImpl : public torch::nn::Module {
 public:
  explicit DecoderImpl(const ConvCoderConfig& config);
  torch::Tensor forward(torch::Tensor z);

 private:
  Activation activation_;
  torch::nn::Conv2d conv_in_{nullptr}, conv_out_{nullptr};
  MidBlock mid_block_{nullptr};
  torch::nn::ModuleList up_blocks_;
  torch::nn::GroupNorm conv_norm_out_{nullptr};
};
TORCH_MODULE(Decoder);

}  // namespace calotype
