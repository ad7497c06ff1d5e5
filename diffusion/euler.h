#pragma once

#include "diffusion/noise_levels.h"

namespace calotype {

/// Euler's method on the probability flow, dx/dsigma = (x - x_0) / sigma, which
/// holds on a flow's straight path as well (arXiv:2206.00364, algorithm 1
/// without its second half; arXiv:2209.03003, equation 1).
class EulerSampler : public LevelSampler {
 public:
  EulerSampler(const ScheduleConfig& config, int64_t num_steps)
      : LevelSampler(config, noise_levels(config, num_steps), States::kScaled) {
  }

  at::Tensor step(const at::Tensor& output, const at::Tensor& state,
                  int64_t index, const NoiseSource& noise) override;
};

/// The same with part of the noise drawn anew at each step, as much as makes
/// the walk the reverse of the forward chain (k-diffusion's ancestral Euler).
/// Not for flows.
class EulerAncestralSampler : public LevelSampler {
 public:
  EulerAncestralSampler(const ScheduleConfig& config, int64_t num_steps)
      : LevelSampler(config, noise_levels(config, num_steps), States::kScaled) {
  }

  at::Tensor step(const at::Tensor& output, const at::Tensor& state,
                  int64_t index, const NoiseSource& noise) override;
};

}  // namespace calotype
