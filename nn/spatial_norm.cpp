#include "nn/spatial_norm.h"

#include <torch/types.h>

#include "core/check.h"
#include "nn/resnet_block.h"
#include "nn/sampling.h"

namespace calotype {
namespace {

constexpr int64_t kGroups = 32;  // whatever norm_num_groups says, as diffusers
constexpr double kNormLayerEps = 1e-6;

}  // namespace

SpatialNormImpl::SpatialNormImpl(int64_t channels, int64_t condition_channels)
    : condition_channels_(condition_channels) {
  norm_layer_ = register_module("norm_layer",
                                group_norm(kGroups, channels, kNormLayerEps));
  conv_y_ = register_module("conv_y", conv1x1(condition_channels, channels));
  conv_b_ = register_module("conv_b", conv1x1(condition_channels, channels));
}

torch::Tensor SpatialNormImpl::forward(const torch::Tensor& x,
                                       const torch::Tensor& condition) {
  check_shape("SpatialNorm", "condition", condition,
              {x.size(0), condition_channels_, -1, -1});
  // 1x1 convolutions commute with repeating pixels; the coarse grid is cheaper.
  const auto to_grid = [&](const torch::Tensor& coarse) {
    return nearest_resize(coarse, x.size(2), x.size(3));
  };
  return norm_layer_(x) * to_grid(conv_y_(condition)) +
         to_grid(conv_b_(condition));
}

}  // namespace calotype
