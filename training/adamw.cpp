#include "training/adamw.h"

#include <torch/utils.h>

#include <cmath>

#include "core/check.h"

namespace calotype {

void AdamWConfig::validate() const {
  constexpr double kBelowOne = 1 - 1e-9;
  check_range("training: optimizer", "beta1", beta1, 0, kBelowOne);
  check_range("training: optimizer", "beta2", beta2, 0, kBelowOne);
  check_range("training: optimizer", "eps", eps, 1e-30, 1);
  check_range("training: optimizer", "weight_decay", weight_decay, 0, 10);
}

AdamW::AdamW(const AdamWConfig& config, const at::Tensor& values)
    : config_(config),
      first_moment_(torch::zeros_like(values)),
      second_moment_(torch::zeros_like(values)) {}

void AdamW::step(at::Tensor& values, const at::Tensor& gradients,
                 double learning_rate, int64_t step, const at::Tensor& mask) {
  const torch::NoGradGuard no_grad;
  if (mask.defined()) {
    const auto move = [&](at::Tensor& all, const at::Tensor& moved) {
      all.copy_(torch::where(mask, moved, all));
    };
    auto moved = *this;
    moved.first_moment_ = first_moment_.clone();
    moved.second_moment_ = second_moment_.clone();
    auto moved_values = values.clone();
    moved.step(moved_values, gradients, learning_rate, step);
    move(values, moved_values);
    move(first_moment_, moved.first_moment_);
    return move(second_moment_, moved.second_moment_);
  }
  const double correction1 = 1 - std::pow(config_.beta1, double(step));
  const double correction2 = 1 - std::pow(config_.beta2, double(step));
  values.mul_(1 - learning_rate * config_.weight_decay);
  first_moment_.lerp_(gradients, 1 - config_.beta1);
  second_moment_.mul_(config_.beta2)
      .addcmul_(gradients, gradients, 1 - config_.beta2);
  const auto denominator =
      second_moment_.sqrt().mul_(1 / std::sqrt(correction2)).add_(config_.eps);
  values.addcdiv_(first_moment_, denominator, -learning_rate / correction1);
}

}  // namespace calotype
