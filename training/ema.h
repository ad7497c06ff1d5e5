#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace calotype {

/// Exponential moving average of the weights. The decay grows with the steps,
/// min(decay, (1 + step) / (10 + step)), so that the beginning is forgotten
/// soon.
class Ema {
 public:
  Ema(double decay, const at::Tensor& values);

  /// `step` counts from 1.
  void update(const at::Tensor& values, int64_t step);

  at::Tensor& values() { return values_; }

 private:
  double decay_;
  at::Tensor values_;
};

/// Puts `averaged` into `weights` for as long as it lives.
class AveragedWeights {
 public:
  AveragedWeights(at::Tensor& weights, const at::Tensor& averaged);
  ~AveragedWeights();
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;

 private:
  at::Tensor& weights_;
  at::Tensor kept_;
};

}  // namespace calotype
