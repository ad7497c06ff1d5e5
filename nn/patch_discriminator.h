#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/pimpl.h>

#include <cstdint>

namespace calotype {

struct PatchDiscriminatorConfig {
  int64_t image_channels = 3;
  int64_t channels = 32;   // of the first layer, a multiple of 8
  int64_t num_layers = 2;  // that halve the grid
};

/// PatchGAN (arXiv:1611.07004, section 3.2.2): a logit per overlapping patch,
/// above 0 where it looks real. Normalised by groups where the paper has
/// batches, so that a picture's verdict does not depend on its neighbours.
class PatchDiscriminatorImpl : public torch::nn::Module {
 public:
  /// Throws ConfigError.
  explicit PatchDiscriminatorImpl(const PatchDiscriminatorConfig& config);

  /// [N,C,H,W] in [-1,1] -> logits [N,1,h,w].
  torch::Tensor forward(const torch::Tensor& images);

 private:
  torch::nn::Sequential layers_;
};
TORCH_MODULE(PatchDiscriminator);

}  // namespace calotype
