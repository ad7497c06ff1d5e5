#pragma once

#include "diffusion/sampler.h"

namespace calotype {

/// Denoising diffusion implicit models (arXiv:2010.02502, equations 12 and 16).
class DdimSampler : public Sampler {
 public:
  /// `eta` in [0,1]: 0 is deterministic, 1 adds as much noise as DDPM.
  DdimSampler(const ScheduleConfig& config, int64_t num_steps, double eta);

  at::Tensor step(const at::Tensor& output, const at::Tensor& sample,
                  int64_t step_index, const NoiseSource& noise) override;

 private:
  ScheduleConfig config_;
  NoiseSchedule schedule_;
  float eta_;
};

}  // namespace calotype
