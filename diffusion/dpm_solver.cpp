#include "diffusion/dpm_solver.h"

#include <ATen/Functions.h>

#include <cmath>

namespace calotype {

at::Tensor DpmSolverSampler::step(const at::Tensor& output,
                                  const at::Tensor& state, int64_t index,
                                  const NoiseSource& noise) {
  const auto here = level(index), end = level(index + 1);
  const auto x0 = estimate(output, state, index);
  const double width = end.log_snr() - here.log_snr();  // infinite at the end
  const bool stochastic = config_.algorithm_type == "sde-dpmsolver++";
  // Equation 9 of the paper, and its stochastic form with the noise of twice
  // the width.
  const double decay = std::exp(stochastic ? -2 * width : -width);
  auto next =
      (end.noise / here.noise * (stochastic ? std::exp(-width) : 1.0)) * state +
      (end.signal * (1 - decay)) * x0;
  constexpr int64_t kFew = 15;  // as published walks have it
  const bool ends_low = index + 1 == num_questions() &&
                        (std::isinf(width) || num_questions() < kFew);
  if (config_.solver_order == 2 && last_x0_.defined() && !ends_low) {
    const auto slope = (x0 - last_x0_) * (width / last_width_);
    next = next + (0.5 * end.signal * (1 - decay)) * slope;
  }
  if (stochastic && end.noise > 0)
    next = next + (end.noise * std::sqrt(1 - decay)) * noise(index);
  last_x0_ = x0;
  last_width_ = width;
  return next;
}

}  // namespace calotype
