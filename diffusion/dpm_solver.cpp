#include "diffusion/dpm_solver.h"

#include <ATen/Functions.h>

#include <cmath>

#include "diffusion/prediction.h"

namespace calotype {

DpmSolverSampler::DpmSolverSampler(const ScheduleConfig& config,
                                   int64_t num_steps)
    : config_(config),
      levels_(noise_levels(config, num_steps, /*whole=*/true)) {
  timesteps_ = levels_.timesteps;
}

at::Tensor DpmSolverSampler::step(const at::Tensor& output,
                                  const at::Tensor& sample, int64_t step_index,
                                  const NoiseSource& noise) {
  const auto here = mixture(levels_.sigmas[size_t(step_index)]),
             next = mixture(levels_.sigmas[size_t(step_index) + 1]);
  const auto x0 =
      bound_x0(read_prediction(config_.prediction_type, output, sample,
                               float(here.signal * here.signal))
                   .x0,
               config_);
  const double width = next.log_snr - here.log_snr;  // infinite at the end
  const bool stochastic = config_.algorithm_type == "sde-dpmsolver++";
  // Equation 9 of the paper, and its stochastic form with the noise of twice
  // the width.
  const double decay = std::exp(stochastic ? -2 * width : -width);
  auto next_sample =
      next.noise / here.noise * (stochastic ? std::exp(-width) : 1.0) * sample +
      next.signal * (1 - decay) * x0;
  const bool second_order =
      config_.solver_order == 2 && last_x0_.defined() && std::isfinite(width);
  if (second_order) {
    const auto slope = (x0 - last_x0_) * (width / last_width_);
    next_sample = next_sample + 0.5 * next.signal * (1 - decay) * slope;
  }
  if (stochastic && next.noise > 0)
    next_sample =
        next_sample + next.noise * std::sqrt(1 - decay) * noise(step_index);
  last_x0_ = x0;
  last_width_ = width;
  return next_sample;
}

}  // namespace calotype
