#pragma once

#include <cstdint>
#include <string>

namespace calotype {

struct LearningRateConfig {
  double peak = 1e-3;
  int64_t warmup_steps = 100;  // linear from 0
  std::string decay =
      "cosine";            // cosine to final_share at the last step, constant
  double final_share = 0;  // of the peak

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(LearningRateConfig& c, Visitor&& visit) {
  visit("peak", c.peak);
  visit("warmup_steps", c.warmup_steps);
  visit("decay", c.decay);
  visit("final_share", c.final_share);
}

/// The rate of step `step`, counted from 1, of `num_steps`: linear warm-up,
/// then half a cosine (arXiv:1608.03983, equation 5, without restarts).
double learning_rate(const LearningRateConfig& config, int64_t step,
                     int64_t num_steps);

}  // namespace calotype
