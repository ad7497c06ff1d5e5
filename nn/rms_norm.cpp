#include "nn/rms_norm.h"

#include <torch/types.h>

namespace calotype {

at::Tensor rms_norm(const at::Tensor& numbers, double eps) {
  const auto x =
      numbers.scalar_type() == at::kBFloat16 ? numbers.to(at::kFloat) : numbers;
  return x * (x.square().mean(-1, /*keepdim=*/true) + eps).rsqrt();
}

RmsNormImpl::RmsNormImpl(int64_t width, double eps)
    : eps_(eps), weight_(register_parameter("weight", torch::ones({width}))) {}

at::Tensor RmsNormImpl::forward(const at::Tensor& x) {
  return rms_norm(x, eps_) * weight_;
}

}  // namespace calotype
