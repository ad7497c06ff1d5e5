#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "diffusion/prediction.h"
#include "diffusion/schedule.h"
#include "nn/trainable.h"

namespace calotype {

/// How noise levels are drawn while training.
struct TimeSamplingConfig {
  // Of timesteps and of a flow's times: uniform, or logit_normal, which prefers
  // the middle (arXiv:2403.03206, section 3.1, equation 19).
  std::string distribution = "uniform";
  double logit_mean = 0;
  double logit_std = 1;

  // Of EDM: the logarithm of sigma is normal (arXiv:2206.00364, table 1).
  double log_sigma_mean = -1.2;
  double log_sigma_std = 1.2;

  /// Throws ConfigError naming the key.
  void validate() const;
};

template <class Visitor>
void visit_fields(TimeSamplingConfig& c, Visitor&& visit) {
  visit("distribution", c.distribution);
  visit("logit_mean", c.logit_mean);
  visit("logit_std", c.logit_std);
  visit("log_sigma_mean", c.log_sigma_mean);
  visit("log_sigma_std", c.log_sigma_std);
}

/// Draws noise levels for the path that a network is trained on.
class TrainingLevels {
 public:
  /// Throws ConfigError as both validate() do.
  TrainingLevels(const TimeSamplingConfig& sampling,
                 const ScheduleConfig& schedule);

  /// One level for each of `batch.samples`, a function of (seed, step, sample)
  /// alone.
  DrawnLevels draw(const Batch& batch) const;

  /// The levels at timesteps `t`, int64 [N] in [0,T). For paths that preserve
  /// variance.
  DrawnLevels at_timesteps(const at::Tensor& t) const;

  /// Levels of noise share `sigma`, float [N] in (0,1), of a flow.
  DrawnLevels at_flow_times(const at::Tensor& sigma) const;

  /// Levels of log(sigma), float [N], of EDM.
  DrawnLevels at_log_sigmas(const at::Tensor& log_sigma) const;

  /// Null unless the path preserves variance.
  const NoiseSchedule* schedule() const { return table_ ? &*table_ : nullptr; }

 private:
  at::Tensor draw_times(const Batch& batch) const;
  at::Tensor draw_timesteps(const Batch& batch) const;

  TimeSamplingConfig sampling_;
  ScheduleConfig config_;
  std::optional<NoiseSchedule> table_;
};

}  // namespace calotype
