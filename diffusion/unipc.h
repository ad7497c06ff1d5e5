#pragma once

#include "diffusion/noise_levels.h"

namespace calotype {

/// UniPC (arXiv:2302.04867, algorithms 1 and 2) with B(h) = e^h - 1 (bh2), of
/// x_0 and of solver_order 1 or 2: each answer of the network corrects the step
/// that led to it, and predicts the next.
class UniPcSampler : public LevelSampler {
 public:
  UniPcSampler(const ScheduleConfig& config, int64_t num_steps)
      : LevelSampler(config, multistep_levels(config, num_steps),
                     States::kOriginal) {}

  at::Tensor step(const at::Tensor& output, const at::Tensor& state,
                  int64_t index, const NoiseSource& noise) override;

 private:
  /// From level `from` to the next, where x_0 was `x0` at the first and
  /// `before` at the level before it (undefined: order 1), and if `arrived` is
  /// defined, turned out to be that at the second.
  at::Tensor walk(int64_t from, const at::Tensor& state, const at::Tensor& x0,
                  const at::Tensor& before, const at::Tensor& arrived) const;

  at::Tensor last_state_, last_next_, last_x0_, x0_before_;
  int64_t last_order_ = 1;
  int64_t num_answers_ = 0;
};

}  // namespace calotype
