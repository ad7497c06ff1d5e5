#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "diffusion/schedule.h"

namespace calotype {

/// Standard normal noise for step `step_index`, of the shape of the samples.
using NoiseSource = std::function<at::Tensor(int64_t step_index)>;

/// One walk from noise to samples: made for a number of steps, used once, from
/// step 0 on. It owns the formula alone; networks and random numbers come from
/// outside.
class Sampler {
 public:
  virtual ~Sampler() = default;

  /// Timesteps at which the network is asked, in order.
  const std::vector<double>& timesteps() const { return timesteps_; }
  int64_t num_steps() const { return int64_t(timesteps_.size()); }

  /// Standard deviation of the noise that the walk starts from.
  virtual double initial_sigma() const { return 1; }

  /// What the network is shown of `sample` at step `step_index`.
  virtual at::Tensor model_input(const at::Tensor& sample,
                                 int64_t step_index) const;

  /// The next state [N, ...] from the network's `output` at `sample`, both [N,
  /// ...]. Asks `noise` only where the formula adds some.
  virtual at::Tensor step(const at::Tensor& output, const at::Tensor& sample,
                          int64_t step_index, const NoiseSource& noise) = 0;

 protected:
  std::vector<double> timesteps_;
};

/// A network's answer to noisy samples [N, ...] at `timestep`, float [N].
using Network = std::function<at::Tensor(const at::Tensor& sample,
                                         const at::Tensor& timestep)>;

/// Walks from standard normal `start` [N, ...] to samples [N, ...]. `on_step`,
/// if any, is told each step's index and the state after it. Throws DataError,
/// naming the step, if the network's answer is not finite.
at::Tensor run_sampler(
    Sampler& sampler, const at::Tensor& start, const Network& network,
    const NoiseSource& noise,
    const std::function<void(int64_t step_index, const at::Tensor& state)>&
        on_step = {});

/// A sampler by class, and the schedule that a network was trained with: what a
/// `scheduler_config.json` says.
struct SchedulerConfig {
  std::string class_name = "DDIMScheduler";
  ScheduleConfig schedule;

  /// Throws ConfigError naming the key, or the known classes.
  void validate() const;
};

template <class Visitor>
void visit_fields(SchedulerConfig& c, Visitor&& visit) {
  visit("_class_name", c.class_name);
  visit_fields(c.schedule, visit);
}

/// From and to the JSON of a diffusers `scheduler_config.json`, whose other
/// keys with a leading underscore say nothing about the schedule. Throws
/// ConfigError for an unknown class or key, naming the known ones.
SchedulerConfig scheduler_from_json(const Json& json, const std::string& where);
Json scheduler_to_json(const SchedulerConfig& config);

/// The same in a file. Reading throws ConfigError if there is none.
SchedulerConfig read_scheduler_config(const std::filesystem::path& path);
void write_scheduler_config(const std::filesystem::path& path,
                            const SchedulerConfig& config);

/// "ddim" or "DDIMScheduler" to "DDIMScheduler". Throws ConfigError naming the
/// known samplers.
std::string sampler_class(const std::string& name);

/// Throws ConfigError if `num_steps` is not in [1, T], or if `eta`, DDIM's
/// amount of noise in [0,1], is given to a sampler that has none.
std::unique_ptr<Sampler> make_sampler(const SchedulerConfig& config,
                                      int64_t num_steps, double eta = 0);

}  // namespace calotype
