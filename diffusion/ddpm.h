#pragma once

#include "diffusion/sampler.h"
#include "diffusion/schedule.h"

namespace calotype {

/// Ancestral sampling (DDPM, arXiv:2006.11239, algorithm 2), over any subset of
/// the timesteps and with learned variances (improved DDPM, arXiv:2102.09672,
/// sections 3.1 and 4).
class DdpmSampler : public Sampler {
 public:
  DdpmSampler(const ScheduleConfig& config, int64_t num_steps);

  Mixture level(int64_t index) const override;
  bool reads_variance() const override;
  at::Tensor estimate(const at::Tensor& output, const at::Tensor& state,
                      int64_t index) const override;
  at::Tensor step(const at::Tensor& output, const at::Tensor& state,
                  int64_t index, const NoiseSource& noise) override;

 private:
  double alpha_bar(int64_t index) const;  // 1 behind the last question

  /// Standard deviation of the noise that a step adds.
  at::Tensor noise_scale(const at::Tensor& output, double posterior_variance,
                         double beta) const;

  ScheduleConfig config_;
  NoiseSchedule schedule_;
};

}  // namespace calotype
