#pragma once

#include "diffusion/noise_levels.h"

namespace calotype {

/// DPM-Solver++ (arXiv:2211.01095): algorithm 2 (2M), and with algorithm_type
/// sde-dpmsolver++ its stochastic form (appendix on SDEs), of solver_order 1 or
/// 2. The last step is of order 1 if it ends without noise, or if steps are
/// few.
class DpmSolverSampler : public LevelSampler {
 public:
  DpmSolverSampler(const ScheduleConfig& config, int64_t num_steps)
      : LevelSampler(config, multistep_levels(config, num_steps),
                     States::kOriginal) {}

  at::Tensor step(const at::Tensor& output, const at::Tensor& state,
                  int64_t index, const NoiseSource& noise) override;

 private:
  at::Tensor last_x0_;
  double last_width_ = 0;  // of the last step, in the logarithm of 1 / sigma
};

}  // namespace calotype
