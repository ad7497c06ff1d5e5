#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "nn/batch_invariant.h"
#include "nn/group_norm.h"

namespace calotype {

/// Group normalisation whose scale and shift are read off a coarser grid, the
/// quantized latents (arXiv:2209.09002, section 3.2): diffusers' SpatialNorm,
/// named norm_layer, conv_y, conv_b.
class SpatialNormImpl : public torch::nn::Module {
 public:
  /// Throws ConfigError unless 32 divides `channels`.
  SpatialNormImpl(int64_t channels, int64_t condition_channels);

  /// `x`: [N,channels,H,W]; `condition`: [N,condition_channels,h,w].
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& condition);

 private:
  int64_t condition_channels_;
  GroupNorm norm_layer_{nullptr};
  Conv2d conv_y_{nullptr}, conv_b_{nullptr};
};
TORCH_MODULE(SpatialNorm);

}  // namespace calotype
