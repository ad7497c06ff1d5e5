#pragma once

#include "diffusion/noise_levels.h"

namespace calotype {

/// Euler's method on the probability flow, dy/dsigma = (y - x_0) / sigma
/// (arXiv:2206.00364, algorithm 1 without its second half).
class EulerSampler : public LevelSampler {
 public:
  EulerSampler(const ScheduleConfig& config, int64_t num_steps)
      : LevelSampler(config, num_steps) {}

  at::Tensor step(const at::Tensor& output, const at::Tensor& sample,
                  int64_t step_index, const NoiseSource& noise) override;
};

/// The same with part of the noise drawn anew at each step, as much as makes
/// the walk the reverse of the forward chain (k-diffusion's ancestral Euler).
class EulerAncestralSampler : public LevelSampler {
 public:
  EulerAncestralSampler(const ScheduleConfig& config, int64_t num_steps)
      : LevelSampler(config, num_steps) {}

  at::Tensor step(const at::Tensor& output, const at::Tensor& sample,
                  int64_t step_index, const NoiseSource& noise) override;
};

}  // namespace calotype
