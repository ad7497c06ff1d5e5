#include "diffusion/flow.h"

namespace calotype {

FlowEulerSampler::FlowEulerSampler(const ScheduleConfig& config,
                                   int64_t num_steps)
    : levels_(flow_levels(config, num_steps)) {
  timesteps_ = levels_.timesteps;
}

at::Tensor FlowEulerSampler::step(const at::Tensor& output,
                                  const at::Tensor& sample, int64_t step_index,
                                  const NoiseSource&) {
  const auto& sigmas = levels_.sigmas;
  return sample +
         output * (sigmas[size_t(step_index) + 1] - sigmas[size_t(step_index)]);
}

FlowHeunSampler::FlowHeunSampler(const ScheduleConfig& config,
                                 int64_t num_steps)
    : levels_(flow_levels(config, num_steps)) {
  for (int64_t i = 0; i < 2 * num_steps - 1; ++i)
    timesteps_.push_back(levels_.timesteps[size_t((i + 1) / 2)]);
}

at::Tensor FlowHeunSampler::step(const at::Tensor& output,
                                 const at::Tensor& sample, int64_t step_index,
                                 const NoiseSource&) {
  const auto level = size_t((step_index + 1) / 2);
  const auto& sigmas = levels_.sigmas;
  if (step_index % 2 == 0) {
    start_ = sample;
    slope_ = output;
    return sample + output * (sigmas[level + 1] - sigmas[level]);
  }
  return start_ +
         (slope_ + output) * (0.5 * (sigmas[level] - sigmas[level - 1]));
}

}  // namespace calotype
