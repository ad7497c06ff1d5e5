#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "nn/batch_invariant.h"

namespace calotype {

/// [...,2H] -> [...,H]: the first half times SiLU of the second (SwiGLU,
/// arXiv:2002.05202, equation 6).
at::Tensor swiglu(const at::Tensor& x);

/// An MLP with SwiGLU between its two maps, without biases: in, out.
class SwiGluMlpImpl : public torch::nn::Module {
 public:
  /// `hidden`: H, channels of each half.
  SwiGluMlpImpl(int64_t width, int64_t hidden);

  /// [...,width] -> the same shape.
  at::Tensor forward(const at::Tensor& x);

 private:
  Linear in_{nullptr}, out_{nullptr};
};
TORCH_MODULE(SwiGluMlp);

}  // namespace calotype
