#pragma once

#include <filesystem>
#include <string>

#include "core/config.h"
#include "diffusion/schedule.h"

namespace calotype {

/// A sampler by class, and the schedule that a network was trained with: what a
/// `scheduler_config.json` says.
struct SchedulerConfig {
  std::string class_name = "DDIMScheduler";
  ScheduleConfig schedule;

  /// Throws ConfigError naming the key, or the known classes, or if the class
  /// cannot walk a network of this prediction_type.
  void validate() const;
};

/// Overloads of core/config.h's: from and to `_class_name` and the keys of that
/// class, with its defaults but for clip_sample, which is off: latents have no
/// bounds. Keys of other classes
/// are taken at their default alone. Throws ConfigError for an unknown class or
/// key, naming the known ones.
void read_config(const Json& json, SchedulerConfig& config,
                 const std::string& where);
Json write_config(const SchedulerConfig& config);

/// The sampler that the class walks with.
std::string sampler_of(const SchedulerConfig& config);

/// How the levels of a walk are spaced that names no SamplerOptions::spacing:
/// as the schedule says (empty), but karras for heun and edm where the class is
/// another's. Evenly spaced timesteps, made for other samplers, may begin with
/// one step over nearly all of the noise, which a trapezoid cannot take.
std::string usual_spacing(const SchedulerConfig& config,
                          const std::string& sampler);

/// The same in a diffusers `scheduler_config.json`, read as diffusers reads it:
/// null stands for the default, keys of other schedulers and those with a
/// leading underscore say nothing, infinity may stand as Python writes it, and
/// a key that no scheduler has is left out, which a note says. A value that
/// asks for what is not done here is refused. Reading throws ConfigError if
/// there is no such file.
SchedulerConfig read_scheduler_config(const std::filesystem::path& path);
SchedulerConfig parse_scheduler_config(std::string text,
                                       const std::string& where);
void write_scheduler_config(const std::filesystem::path& path,
                            const SchedulerConfig& config);

}  // namespace calotype
