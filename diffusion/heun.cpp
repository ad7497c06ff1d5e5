#include "diffusion/heun.h"

#include <ATen/Functions.h>

namespace calotype {
namespace {

/// Each level but the first and the end twice: the network is asked where a
/// step ends, and where the next begins.
NoiseLevels asked_twice(const NoiseLevels& levels) {
  NoiseLevels twice;
  for (size_t i = 0; i < levels.timesteps.size(); ++i)
    for (int copy = 0; copy < (i == 0 ? 1 : 2); ++copy) {
      twice.timesteps.push_back(levels.timesteps[i]);
      twice.sigmas.push_back(levels.sigmas[i]);
    }
  twice.sigmas.push_back(levels.sigmas.back());
  return twice;
}

}  // namespace

HeunSampler::HeunSampler(const ScheduleConfig& config, int64_t num_steps)
    : HeunSampler(config, asked_twice(noise_levels(config, num_steps))) {}

HeunSampler::HeunSampler(const ScheduleConfig& config,
                         const NoiseLevels& levels)
    : LevelSampler(config, levels, States::kScaled) {}

at::Tensor HeunSampler::step(const at::Tensor& output, const at::Tensor& state,
                             int64_t index, const NoiseSource&) {
  const double here = sigma(index);
  const auto slope = (state - estimate(output, state, index)) / here;
  if (begins_step(index)) {
    start_ = state;
    slope_ = slope;
    return state + slope * (sigma(index + 1) - here);
  }
  return start_ + (slope_ + slope) * (0.5 * (here - sigma(index - 1)));
}

}  // namespace calotype
