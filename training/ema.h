#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace calotype {

/// Moving average of the weights, of one of two kinds: exponential, whose decay
/// grows with the steps, min(decay, (1 + step) / (10 + step)), so that the
/// beginning is forgotten soon; or of a length that is a share of the training
/// so far (training/power_profile.h).
class Ema {
 public:
  Ema(double decay, const at::Tensor& values);

  /// `length` as power_exponent takes it.
  static Ema of_length(double length, const at::Tensor& values);

  /// `step` counts from 1.
  void update(const at::Tensor& values, int64_t step);

  at::Tensor& values() { return values_; }

  /// 0 if it is exponential.
  double length() const { return length_; }

 private:
  double decay_ = 0, length_ = 0;
  std::optional<double> exponent_;
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
