#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <cstdint>

namespace calotype {

/// x / sqrt(mean(x^2) + eps) over the last axis (RMSNorm, arXiv:1910.07467,
/// equation 4).
at::Tensor rms_norm(const at::Tensor& x, double eps);

/// The same times a learned `weight`, which starts at 1.
class RmsNormImpl : public torch::nn::Module {
 public:
  RmsNormImpl(int64_t width, double eps);

  /// [...,width] -> the same shape.
  at::Tensor forward(const at::Tensor& x);

 private:
  double eps_;
  at::Tensor weight_;  // [width]
};
TORCH_MODULE(RmsNorm);

}  // namespace calotype
