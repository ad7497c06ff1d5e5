#pragma once

#include <ATen/Functions.h>
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace calotype {

/// How x [N,C,...] is normalised in groups: out = w n + b, or silu of that.
struct GroupNormCall {
  int64_t num_groups = 1;
  at::Tensor weight, bias;  // [C] float
  double eps = 0;
  bool silu = false;

  /// By LibTorch, for what our kernels do not take. bfloat16 in float, since
  /// LibTorch wants weights of the same type.
  at::Tensor by_operations(const at::Tensor& x) const {
    if (x.scalar_type() == at::kBFloat16)
      return by_operations(x.to(at::kFloat)).to(at::kBFloat16);
    const auto normed = at::group_norm(x, num_groups, weight, bias, eps);
    return silu ? at::silu(normed) : normed;
  }
};

}  // namespace calotype
