#pragma once

#include "diffusion/noise_levels.h"

namespace calotype {

/// UniPC (arXiv:2302.04867, algorithms 1 and 2) with B(h) = e^h - 1 (bh2), of
/// x_0 and of solver_order 1 or 2: each answer of the network corrects the step
/// that led to it, and predicts the next. States are x.
class UniPcSampler : public Sampler {
 public:
  UniPcSampler(const ScheduleConfig& config, int64_t num_steps);

  at::Tensor step(const at::Tensor& output, const at::Tensor& sample,
                  int64_t step_index, const NoiseSource& noise) override;

 private:
  /// From level `from` to `to`, where x_0 was `x0` at the first and `before` at
  /// the level before it (undefined: order 1), and if `arrived` is defined,
  /// turned out to be that at the second.
  at::Tensor walk(int64_t from, int64_t to, const at::Tensor& sample,
                  const at::Tensor& x0, const at::Tensor& before,
                  const at::Tensor& arrived) const;

  ScheduleConfig config_;
  NoiseLevels levels_;
  at::Tensor last_sample_, last_x0_, x0_before_;
  int64_t last_order_ = 1;
};

}  // namespace calotype
