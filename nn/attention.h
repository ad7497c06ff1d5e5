#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include <cstdint>

#include "nn/batch_invariant.h"
#include "nn/group_norm.h"
#include "nn/spatial_norm.h"

namespace calotype {

struct AttentionConfig {
  int64_t channels = 0;
  int64_t head_dim = 0;            // 0: one head over all channels
  int64_t num_groups = 32;         // 0: no normalisation
  int64_t condition_channels = 0;  // of a grid that normalises; 0: none
  double eps = 1e-6;
  double output_scale = 1;  // the sum is divided by it
};

/// Self-attention over the positions of a grid, with a residual: diffusers'
/// Attention as its U-Nets and VAEs use it, named group_norm, to_q, to_k, to_v,
/// to_out.0; with condition_channels, spatial_norm instead of group_norm.
class AttentionImpl : public torch::nn::Module {
 public:
  explicit AttentionImpl(const AttentionConfig& config);

  /// [N,channels,H,W] -> the same shape; `condition`:
  /// [N,condition_channels,h,w].
  torch::Tensor forward(const torch::Tensor& x,
                        const torch::Tensor& condition = {});

 private:
  AttentionConfig config_;
  int64_t num_heads_;
  GroupNorm group_norm_{nullptr};
  SpatialNorm spatial_norm_{nullptr};
  Linear to_q_{nullptr}, to_k_{nullptr}, to_v_{nullptr};
  torch::nn::ModuleList to_out_;
};
TORCH_MODULE(Attention);

}  // namespace calotype
