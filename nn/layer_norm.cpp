#include "nn/layer_norm.h"

#include <torch/types.h>

namespace calotype {

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight,
                      const at::Tensor& bias, double eps) {
  // In fewer bits the difference would lose what it is to keep.
  const auto wide = x.scalar_type() == at::kBFloat16 ? x.to(at::kFloat) : x;
  const bool is_float = wide.scalar_type() == at::kFloat;
  return torch::layer_norm(
      is_float ? wide - wide.detach().narrow(-1, 0, 1) : wide, {x.size(-1)},
      weight, bias, eps);
}

at::Tensor LayerNormImpl::forward(const at::Tensor& x) {
  return layer_norm(x, weight, bias, options.eps());
}

}  // namespace calotype
