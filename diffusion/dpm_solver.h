#pragma once

#include "diffusion/noise_levels.h"

namespace calotype {

/// DPM-Solver++ (arXiv:2211.01095): algorithm 2 (2M), and with algorithm_type
/// sde-dpmsolver++ its stochastic form (appendix on SDEs), of solver_order 1 or
/// 2; the last step, which ends without noise, is of order 1. States are x.
class DpmSolverSampler : public Sampler {
 public:
  DpmSolverSampler(const ScheduleConfig& config, int64_t num_steps);

  at::Tensor step(const at::Tensor& output, const at::Tensor& sample,
                  int64_t step_index, const NoiseSource& noise) override;

 private:
  ScheduleConfig config_;
  NoiseLevels levels_;
  at::Tensor last_x0_;
  double last_width_ = 0;  // of the last step, in the logarithm of 1 / sigma
};

}  // namespace calotype
