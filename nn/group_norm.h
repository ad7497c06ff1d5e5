#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

#include <cstdint>

namespace calotype {

/// Group normalisation (Wu and He, "Group Normalization", arXiv:1803.08494,
/// section 3) of `x` [N,C,...]; `weight` and `bias`: [C], or undefined for 1
/// and 0. On the CPU, in float or bfloat16 and in either layout, by our kernels,
/// which sum in double and
/// subtract the mean before they scale: a flat image of any size comes out at
/// the bias, where LibTorch's float sums are off by as much as 0.1; what is
/// apart by rounding alone counts as flat. All else by LibTorch, and so are
/// gradients of gradients, in double.
at::Tensor normalise_groups(const at::Tensor& x, int64_t num_groups,
                            const at::Tensor& weight, const at::Tensor& bias,
                            double eps);

/// LibTorch's module, which normalises by normalise_groups.
class GroupNormImpl : public torch::nn::GroupNormImpl {
 public:
  using torch::nn::GroupNormImpl::GroupNormImpl;

  at::Tensor forward(const at::Tensor& x);
};
TORCH_MODULE(GroupNorm);

/// silu(norm(x)) in one operation: two passes over memory instead of four, and
/// two on the way back (SiLU: arXiv:1702.03118, section 2.1).
at::Tensor norm_silu(GroupNorm& norm, const at::Tensor& x);

}  // namespace calotype
