#pragma once

#include "diffusion/noise_levels.h"

namespace calotype {

/// Heun's method of second order (arXiv:2206.00364, algorithm 1): n levels ask
/// the network 2n - 1 times, at each but the last twice.
class HeunSampler : public LevelSampler {
 public:
  HeunSampler(const ScheduleConfig& config, int64_t num_steps);

  at::Tensor model_input(const at::Tensor& sample,
                         int64_t step_index) const override;
  at::Tensor step(const at::Tensor& output, const at::Tensor& sample,
                  int64_t step_index, const NoiseSource& noise) override;

 private:
  /// Of the network's question `step_index`: 0 1 1 2 2 ...
  static int64_t level(int64_t step_index) { return (step_index + 1) / 2; }

  at::Tensor start_, slope_;  // of the step that is half done
};

}  // namespace calotype
