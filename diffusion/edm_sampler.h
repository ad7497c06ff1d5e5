#pragma once

#include "diffusion/heun.h"

namespace calotype {

/// EDM's stochastic sampler (arXiv:2206.00364, algorithm 2): Heun's method,
/// each step of which begins by adding noise. Noise is added where sigma is in
/// [s_tmin, s_tmax], as much as s_churn says, but never beyond what the network
/// was trained at. The noise of a step is added at the end of the step before
/// it, and the first is part of where the walk starts. Not for flows.
class EdmSampler : public HeunSampler {
 public:
  EdmSampler(const ScheduleConfig& config, int64_t num_steps);

  at::Tensor step(const at::Tensor& output, const at::Tensor& state,
                  int64_t index, const NoiseSource& noise) override;
};

}  // namespace calotype
