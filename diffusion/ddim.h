#pragma once

#include "diffusion/sampler.h"
#include "diffusion/schedule.h"

namespace calotype {

/// Denoising diffusion implicit models (arXiv:2010.02502, equations 12 and 16).
class DdimSampler : public Sampler {
 public:
  /// `eta` in [0,1]: 0 is deterministic, 1 adds as much noise as DDPM.
  DdimSampler(const ScheduleConfig& config, int64_t num_steps, double eta);

  Mixture level(int64_t index) const override;
  at::Tensor estimate(const at::Tensor& output, const at::Tensor& state,
                      int64_t index) const override;
  at::Tensor step(const at::Tensor& output, const at::Tensor& state,
                  int64_t index, const NoiseSource& noise) override;

 private:
  double alpha_bar(int64_t timestep) const;  // of the end below 0

  ScheduleConfig config_;
  NoiseSchedule schedule_;
  double eta_;
};

}  // namespace calotype
