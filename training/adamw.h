#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace calotype {

struct AdamWConfig {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(AdamWConfig& c, Visitor&& visit) {
  visit("beta1", c.beta1);
  visit("beta2", c.beta2);
  visit("eps", c.eps);
  visit("weight_decay", c.weight_decay);
}

/// Adam with decoupled weight decay (arXiv:1711.05101, algorithm 2) on one flat
/// tensor.
class AdamW {
 public:
  AdamW(const AdamWConfig& config, const at::Tensor& values);

  /// Changes `values` in place. `step` counts from 1. Where `mask` (bool, as
  /// `values`; undefined: everywhere) is false, neither values nor moments
  /// move.
  void step(at::Tensor& values, const at::Tensor& gradients,
            double learning_rate, int64_t step, const at::Tensor& mask = {});

  at::Tensor& first_moment() { return first_moment_; }
  at::Tensor& second_moment() { return second_moment_; }

 private:
  AdamWConfig config_;
  at::Tensor first_moment_, second_moment_;
};

}  // namespace calotype
