#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <cstdint>

#include "nn/precision.h"

// Convolutions, linear maps and functions of single numbers of which each
// image's answer has the same bits in whatever batch it stands. LibTorch
// chooses among implementations by the number of images, and a matrix product
// over the rows of all of them rounds by their number and their place; a store
// that grew would differ from one that was encoded anew. Where no gradient is
// kept, on the CPU and in float or bf16, sums are oneDNN's for every shape: its
// kernels add up each number of the answer in one order. Elsewhere all are
// LibTorch's. Inside a network they compute in its numbers and layout
// (nn/precision.h).
namespace calotype {

struct Conv2dShape {
  at::IntArrayRef stride = {1, 1};
  at::IntArrayRef padding = {0, 0};
  int64_t groups = 1;
};

/// [N,C,H,W] by weights [D,C/groups,kh,kw] and a bias [D] or none.
at::Tensor invariant_conv2d(const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias, const Conv2dShape& shape);

/// x W^T + b for x of [N,...,in]: [N,...,out]. weight: [out,in]; bias: [out] or
/// undefined.
at::Tensor invariant_linear(const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias);

/// op(x), where `op` makes of each number another one. Some of LibTorch's
/// functions round otherwise in vectors than one by one, as it takes what is
/// left at the end of each thread's part (1.13 with AVX2: silu, sigmoid, mish
/// and the approximate gelu, not exp and tanh; which they are is promised
/// nowhere); here all numbers go in vectors. Not for sines: a vector's are
/// reduced as the largest of its numbers needs (nn/time_embedding.cpp).
at::Tensor invariant_map(const at::Tensor& x,
                         at::Tensor (*op)(const at::Tensor& x));

/// LibTorch's module, by invariant_conv2d; zeros stand around the image.
class Conv2dImpl : public torch::nn::Conv2dImpl {
 public:
  using torch::nn::Conv2dImpl::Conv2dImpl;

  at::Tensor forward(const at::Tensor& x);

 private:
  ComputeWeight weight_, bias_;
};
TORCH_MODULE(Conv2d);

/// LibTorch's module, by invariant_linear.
class LinearImpl : public torch::nn::LinearImpl {
 public:
  using torch::nn::LinearImpl::LinearImpl;

  at::Tensor forward(const at::Tensor& x);

 private:
  ComputeWeight weight_, bias_;
};
TORCH_MODULE(Linear);

}  // namespace calotype
