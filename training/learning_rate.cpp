#include "training/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/check.h"

namespace calotype {

void LearningRateConfig::validate() const {
  check_range("training: learning_rate", "peak", peak, 0, 10);
  check_range("training: learning_rate", "warmup_steps", double(warmup_steps),
              0, 1e12);
  check_range("training: learning_rate", "final_share", final_share, 0, 1);
  check_one_of("training: learning_rate", "decay", decay,
               {"cosine", "constant"});
}

double learning_rate(const LearningRateConfig& config, int64_t step,
                     int64_t num_steps) {
  if (step < config.warmup_steps)
    return config.peak * double(step) / double(config.warmup_steps);
  if (config.decay == "constant") return config.peak;
  const auto span = std::max<int64_t>(num_steps - config.warmup_steps, 1);
  const double done =
      std::min(1.0, double(step - config.warmup_steps) / double(span));
  const double share = 0.5 * (1 + std::cos(std::numbers::pi * done));
  return config.peak * (config.final_share + (1 - config.final_share) * share);
}

}  // namespace calotype
