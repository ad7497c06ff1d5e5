#include "diffusion/timesteps.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/error.h"

namespace calotype {

std::vector<double> spaced_timesteps(const ScheduleConfig& config,
                                     int64_t num_steps, bool one_more) {
  const auto T = config.num_train_timesteps;
  // With one more, T steps would ask twice at one timestep.
  check_range("sampler", "num_steps", double(num_steps), 1,
              double(std::max<int64_t>(1, one_more ? T - 1 : T)));
  const auto points = num_steps + (one_more ? 1 : 0);
  std::vector<double> timesteps;
  for (int64_t i = 0; i < num_steps; ++i) {
    const auto below = points - 1 - i;  // points of the range that are lower
    if (config.timestep_spacing == "leading")
      timesteps.push_back(double(below * std::max<int64_t>(1, T / points) +
                                 config.steps_offset));
    else if (config.timestep_spacing == "linspace")
      timesteps.push_back(points > 1 ? double(below) *
                                           (double(T - 1) / double(points - 1))
                                     : 0);
    else
      timesteps.push_back(
          std::nearbyint(double(T) -
                         double(i) * (double(T) / double(num_steps))) -
          1);
  }
  if (timesteps.front() > double(T - 1))
    throw ConfigError(fmt::format(
        "sampler: {} leading steps with steps_offset {} begin at timestep {}, "
        "but the highest is {}",
        num_steps, config.steps_offset, timesteps.front(), T - 1));
  return timesteps;
}

std::vector<double> whole_timesteps(const ScheduleConfig& config,
                                    int64_t num_steps, bool one_more) {
  auto timesteps = spaced_timesteps(config, num_steps, one_more);
  for (auto& t : timesteps) t = std::nearbyint(t);
  return timesteps;
}

}  // namespace calotype
