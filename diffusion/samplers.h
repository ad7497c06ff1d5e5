#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/sampler.h"
#include "diffusion/schedule.h"

// The samplers by name.
namespace calotype {

/// All of them, or those that can walk the schedule's path, in the order of
/// --help.
std::vector<std::string> sampler_names();
std::vector<std::string> sampler_names(const ScheduleConfig& schedule);

/// The sampler that is taken where none is named: deterministic, and for the
/// schedule's path.
std::string usual_sampler(const ScheduleConfig& schedule);

/// Throws ConfigError for an unknown name, and if this sampler cannot walk the
/// schedule's path, naming those that can.
void expect_walkable(const std::string& sampler,
                     const ScheduleConfig& schedule);

struct SamplerOptions {
  double eta = 0;               // of ddim: noise, in [0,1]
  std::optional<double> churn;  // of edm, in place of s_churn

  /// How noise levels are spaced, in place of what the schedule says: leading,
  /// linspace or trailing timesteps, or karras or exponential sigmas of at most
  /// 80 (which
  /// ddpm and ddim, that walk by timesteps, do not have, nor has a flow); for
  /// EDM karras, exponential or linear sigmas. Empty: as the schedule says.
  std::string spacing;
};

/// The schedule with its levels spaced so. Throws ConfigError for a spacing
/// that its path or the sampler does not have.
ScheduleConfig respaced(const ScheduleConfig& schedule,
                        const std::string& sampler, const std::string& spacing);

/// Throws ConfigError as expect_walkable does, if `num_steps` is not in [1, T]
/// (dpmpp_2m, its SDE and unipc: T - 1), or for an option that this sampler
/// does not have.
std::unique_ptr<Sampler> make_sampler(const std::string& name,
                                      const ScheduleConfig& schedule,
                                      int64_t num_steps,
                                      const SamplerOptions& options = {});

}  // namespace calotype
