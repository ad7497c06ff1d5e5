#pragma once

#include <cstdint>
#include <vector>

#include "diffusion/schedule.h"

namespace calotype {

/// The `num_steps` timesteps that a sampler visits, highest first. `leading`
/// counts up from steps_offset in whole strides, `linspace` spreads them over
/// [0, T-1], `trailing` counts down from T-1 (arXiv:2305.08891, section 3.3 and
/// table 2). Throws ConfigError unless 1 <= num_steps <= T and all of them are
/// below T.
std::vector<int64_t> spaced_timesteps(const ScheduleConfig& config,
                                      int64_t num_steps);

}  // namespace calotype
