#include "nn/layer_norm.h"

#include <torch/types.h>

namespace calotype {

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight,
                      const at::Tensor& bias, double eps) {
  // In fewer bits the difference would lose what it is to keep.
  const bool is_float = x.scalar_type() == at::kFloat;
  return torch::layer_norm(is_float ? x - x.detach().narrow(-1, 0, 1) : x,
                           {x.size(-1)}, weight, bias, eps);
}

at::Tensor LayerNormImpl::forward(const at::Tensor& x) {
  return layer_norm(x, weight, bias, options.eps());
}

}  // namespace calotype
