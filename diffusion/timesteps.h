#pragma once

#include <cstdint>
#include <vector>

#include "diffusion/schedule.h"

namespace calotype {

/// The `num_steps` timesteps that a sampler visits, highest first. `leading`
/// counts up from steps_offset in whole strides, `linspace` spreads them over
/// [0, T-1] and does not round, `trailing` counts down from T-1
/// (arXiv:2305.08891, section 3.3 and table 2). With `one_more`, leading and
/// linspace divide the range into a step more and leave the lowest out. Throws
/// ConfigError unless 1 <= num_steps <= T (with `one_more` T - 1) and all of
/// them are below T.
std::vector<double> spaced_timesteps(const ScheduleConfig& config,
                                     int64_t num_steps, bool one_more = false);

/// The same, rounded; ties go to the even number, as they do where these
/// schedules come from.
std::vector<double> whole_timesteps(const ScheduleConfig& config,
                                    int64_t num_steps, bool one_more = false);

}  // namespace calotype
