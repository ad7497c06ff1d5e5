#include "training/ema.h"

#include <torch/utils.h>

#include <algorithm>

#include "training/power_profile.h"

namespace calotype {

Ema::Ema(double decay, const at::Tensor& values)
    : decay_(decay), values_(values.detach().clone()) {}

Ema Ema::of_length(double length, const at::Tensor& values) {
  Ema ema(0, values);
  ema.length_ = length;
  ema.exponent_ = power_exponent(length);
  return ema;
}

void Ema::update(const at::Tensor& values, int64_t step) {
  const torch::NoGradGuard no_grad;
  if (exponent_) {
    values_.lerp_(values, power_share(*exponent_, step));
    return;
  }
  const double decay = std::min(decay_, double(1 + step) / double(10 + step));
  values_.lerp_(values, 1 - decay);
}

AveragedWeights::AveragedWeights(at::Tensor& weights,
                                 const at::Tensor& averaged)
    : weights_(weights), kept_(weights.clone()) {
  const torch::NoGradGuard no_grad;
  weights_.copy_(averaged);
}

AveragedWeights::~AveragedWeights() {
  const torch::NoGradGuard no_grad;
  weights_.copy_(kept_);
}

}  // namespace calotype
