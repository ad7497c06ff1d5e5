#include "nn/swiglu.h"

#include <torch/types.h>

#include "nn/activation.h"

namespace calotype {
namespace {

Linear map(int64_t in, int64_t out) {
  return Linear(torch::nn::LinearOptions(in, out).bias(false));
}

}  // namespace

at::Tensor swiglu(const at::Tensor& x) {
  const auto halves = x.chunk(2, -1);
  return halves[0] * activate(Activation::kSilu, halves[1]);
}

SwiGluMlpImpl::SwiGluMlpImpl(int64_t width, int64_t hidden)
    : in_(register_module("in", map(width, 2 * hidden))),
      out_(register_module("out", map(hidden, width))) {}

at::Tensor SwiGluMlpImpl::forward(const at::Tensor& x) {
  return out_(swiglu(in_(x)));
}

}  // namespace calotype
