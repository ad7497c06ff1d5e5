#pragma once

#include "diffusion/noise_levels.h"

namespace calotype {

/// Heun's method of second order (arXiv:2206.00364, algorithm 1): n steps ask
/// the network 2n - 1 times, twice in each but the last.
class HeunSampler : public LevelSampler {
 public:
  HeunSampler(const ScheduleConfig& config, int64_t num_steps);

  bool begins_step(int64_t index) const override { return index % 2 == 0; }
  at::Tensor step(const at::Tensor& output, const at::Tensor& state,
                  int64_t index, const NoiseSource& noise) override;

 protected:
  /// Questions at `levels` of each.
  HeunSampler(const ScheduleConfig& config, const NoiseLevels& levels);

 private:
  at::Tensor start_, slope_;  // of the step that is half done
};

}  // namespace calotype
