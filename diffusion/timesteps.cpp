#include "diffusion/timesteps.h"

#include <fmt/format.h>

#include <cmath>

#include "core/check.h"
#include "core/error.h"

namespace calotype {
namespace {

// Ties go to the even number, as they do where these schedules come from.
int64_t round_half_even(double value) {
  return int64_t(std::nearbyint(value));
}

}  // namespace

std::vector<int64_t> spaced_timesteps(const ScheduleConfig& config,
                                      int64_t num_steps) {
  const auto T = config.num_train_timesteps;
  check_range("sampler", "num_steps", double(num_steps), 1, double(T));
  std::vector<int64_t> timesteps(static_cast<size_t>(num_steps));
  for (int64_t i = 0; i < num_steps; ++i) {
    auto& timestep = timesteps[size_t(i)];
    const auto remaining = num_steps - 1 - i;
    if (config.timestep_spacing == "leading") {
      timestep = remaining * (T / num_steps) + config.steps_offset;
    } else if (config.timestep_spacing == "linspace") {
      const double stride =
          num_steps > 1 ? double(T - 1) / double(num_steps - 1) : 0;
      timestep = round_half_even(double(remaining) * stride);
    } else {
      const double stride = double(T) / double(num_steps);
      timestep = round_half_even(double(T) - double(i) * stride) - 1;
    }
  }
  if (timesteps.front() >= T)
    throw ConfigError(fmt::format(
        "sampler: {} leading steps with steps_offset {} begin at timestep {}, "
        "but the highest is {}",
        num_steps, config.steps_offset, timesteps.front(), T - 1));
  return timesteps;
}

}  // namespace calotype
