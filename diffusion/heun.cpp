#include "diffusion/heun.h"

#include <cmath>

namespace calotype {

HeunSampler::HeunSampler(const ScheduleConfig& config, int64_t num_steps)
    : LevelSampler(config, num_steps) {
  timesteps_.clear();
  for (int64_t i = 0; i < 2 * num_steps - 1; ++i)
    timesteps_.push_back(levels_.timesteps[size_t(level(i))]);
}

at::Tensor HeunSampler::model_input(const at::Tensor& sample,
                                    int64_t step_index) const {
  return LevelSampler::model_input(sample, level(step_index));
}

at::Tensor HeunSampler::step(const at::Tensor& output, const at::Tensor& sample,
                             int64_t step_index, const NoiseSource&) {
  const auto at_level = level(step_index);
  const bool first_half = step_index % 2 == 0;
  const double here = sigma(at_level);
  const auto slope = (sample - denoised(output, sample, here)) / here;
  if (first_half) {
    start_ = sample;
    slope_ = slope;
    return sample + slope * (sigma(at_level + 1) - here);
  }
  return start_ + (slope_ + slope) * (0.5 * (here - sigma(at_level - 1)));
}

}  // namespace calotype
