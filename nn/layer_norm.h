#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

namespace calotype {

/// Layer normalisation over the last axis (arXiv:1607.06450, equation 4) by
/// LibTorch, around each row's first number: the answer is the same, but
/// LibTorch scales before it subtracts the mean, and of rows that hardly vary
/// that leaves rounding errors. `weight`, `bias`: [W], or undefined.
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight,
                      const at::Tensor& bias, double eps);

/// LibTorch's module of one axis, which normalises by layer_norm.
class LayerNormImpl : public torch::nn::LayerNormImpl {
 public:
  using torch::nn::LayerNormImpl::LayerNormImpl;

  /// [...,W] -> the same shape.
  at::Tensor forward(const at::Tensor& x);
};
TORCH_MODULE(LayerNorm);

}  // namespace calotype
