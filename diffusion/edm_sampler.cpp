#include "diffusion/edm_sampler.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace calotype {
namespace {

/// Questions at sigma_hat of each step and at the sigma where it ends.
NoiseLevels churned(const ScheduleConfig& config, int64_t num_steps) {
  const auto levels = noise_levels(config, num_steps);
  const double largest = largest_sigma(config);
  NoiseLevels asked;
  for (size_t i = 0; i < levels.timesteps.size(); ++i) {
    const double sigma = levels.sigmas[i];
    if (i > 0) {
      asked.sigmas.push_back(sigma);
      asked.timesteps.push_back(levels.timesteps[i]);
    }
    const bool churns = config.s_tmin <= sigma && sigma <= config.s_tmax;
    const double gamma = churns ? std::min(config.s_churn / double(num_steps),
                                           std::numbers::sqrt2 - 1)
                                : 0;
    const double raised =
        std::max(sigma, std::min(sigma * (1 + gamma), largest));
    asked.sigmas.push_back(raised);
    asked.timesteps.push_back(raised > sigma ? timestep_at(config, raised)
                                             : levels.timesteps[i]);
  }
  asked.sigmas.push_back(levels.sigmas.back());
  return asked;
}

}  // namespace

EdmSampler::EdmSampler(const ScheduleConfig& config, int64_t num_steps)
    : HeunSampler(config, churned(config, num_steps)) {}

at::Tensor EdmSampler::step(const at::Tensor& output, const at::Tensor& state,
                            int64_t index, const NoiseSource& noise) {
  const auto next = HeunSampler::step(output, state, index, noise);
  const double here = sigma(index), raised = sigma(index + 1);
  if (begins_step(index) || raised <= here) return next;
  const double added = std::sqrt(raised * raised - here * here);
  return next + (config_.s_noise * added) * noise(index);
}

}  // namespace calotype
