#pragma once

#include "diffusion/noise_levels.h"

namespace calotype {

/// Euler's method along the velocity noise - x_0 that a network of flow
/// matching answers (arXiv:2209.03003, section 2.1).
class FlowEulerSampler : public Sampler {
 public:
  FlowEulerSampler(const ScheduleConfig& config, int64_t num_steps);

  at::Tensor step(const at::Tensor& output, const at::Tensor& sample,
                  int64_t step_index, const NoiseSource& noise) override;

 private:
  NoiseLevels levels_;
};

/// Heun's method along the same: n levels ask the network 2n - 1 times.
class FlowHeunSampler : public Sampler {
 public:
  FlowHeunSampler(const ScheduleConfig& config, int64_t num_steps);

  at::Tensor step(const at::Tensor& output, const at::Tensor& sample,
                  int64_t step_index, const NoiseSource& noise) override;

 private:
  NoiseLevels levels_;
  at::Tensor start_, slope_;  // of the step that is half done
};

}  // namespace calotype
