#pragma once

#include "diffusion/sampler.h"

namespace calotype {

/// Ancestral sampling (DDPM, arXiv:2006.11239, algorithm 2), over any subset of
/// the timesteps (improved DDPM, arXiv:2102.09672, section 4).
class DdpmSampler : public Sampler {
 public:
  DdpmSampler(const ScheduleConfig& config, int64_t num_steps);

  at::Tensor step(const at::Tensor& output, const at::Tensor& sample,
                  int64_t step_index, const NoiseSource& noise) override;

 private:
  /// Standard deviation of the noise that a step adds.
  float noise_scale(float posterior_variance, float beta) const;

  ScheduleConfig config_;
  NoiseSchedule schedule_;
};

}  // namespace calotype
