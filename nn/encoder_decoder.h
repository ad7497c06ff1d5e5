#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include <string>
#include <vector>

#include "nn/activation.h"
#include "nn/batch_invariant.h"
#include "nn/group_norm.h"
#include "nn/mid_block.h"

// The two halves that diffusers' convolutional autoencoders share. They work on
// slices of their batch (sliced.h).
namespace calotype {

struct ConvCoderConfig {
  int64_t image_channels = 3;
  int64_t latent_channels = 4;  // of what the encoder puts out: 2D for a VAE
  std::vector<int64_t> block_channels;  // from the image inwards
  int64_t layers_per_block = 1;
  int64_t num_groups = 32;
  bool mid_attention = true;
  std::vector<std::string> block_types;  // in diffusers' order
  int64_t condition_channels = 0;        // decoder: of the grid that normalises
  Activation activation = Activation::kSilu;
};

/// One half from a model's configuration with diffusers' keys.
template <class ModelConfig>
ConvCoderConfig coder_config(const ModelConfig& c, int64_t image_channels,
                             int64_t latent_channels,
                             const std::vector<std::string>& block_types) {
  return {.image_channels = image_channels,
          .latent_channels = latent_channels,
          .block_channels = c.block_out_channels,
          .layers_per_block = c.layers_per_block,
          .num_groups = c.norm_num_groups,
          .mid_attention = c.mid_block_add_attention,
          .block_types = block_types,
          .activation = parse_activation(c.act_fn)};
}

/// Throw ConfigError, in the name of the model `where`, for a half that cannot
/// be. Blocks: DownEncoderBlock2D and AttnDownEncoderBlock2D, UpDecoderBlock2D
/// and AttnUpDecoderBlock2D.
void validate_encoder(const char* where, const ConvCoderConfig& config);
void validate_decoder(const char* where, const ConvCoderConfig& config);

/// Images [N,C,H,W] -> [N,latent_channels,H/f,W/f], f = 2^(blocks - 1).
class EncoderImpl : public torch::nn::Module {
 public:
  explicit EncoderImpl(const ConvCoderConfig& config);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  torch::Tensor forward_rows(torch::Tensor x);

  Activation activation_;
  Conv2d conv_in_{nullptr}, conv_out_{nullptr};
  torch::nn::ModuleList down_blocks_;
  MidBlock mid_block_{nullptr};
  GroupNorm conv_norm_out_{nullptr};
};
TORCH_MODULE(Encoder);

/// [N,latent_channels,h,w] -> images [N,C,h*f,w*f].
class DecoderImpl : public torch::nn::Module {
 public:
  explicit DecoderImpl(const ConvCoderConfig& config);

  /// `condition`: [N,condition_channels,h,w], undefined without.
  torch::Tensor forward(const torch::Tensor& z,
                        const torch::Tensor& condition = {});

 private:
  torch::Tensor forward_rows(torch::Tensor z, const torch::Tensor& condition);

  Activation activation_;
  Conv2d conv_in_{nullptr}, conv_out_{nullptr};
  MidBlock mid_block_{nullptr};
  torch::nn::ModuleList up_blocks_;
  GroupNorm conv_norm_out_{nullptr};
  SpatialNorm spatial_norm_out_{nullptr};
};
TORCH_MODULE(Decoder);

}  // namespace calotype
