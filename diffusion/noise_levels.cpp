#include "diffusion/noise_levels.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/error.h"
#include "diffusion/prediction.h"

namespace calotype {
namespace {

/// sigma of every timestep of training, lowest first.
std::vector<double> training_sigmas(const ScheduleConfig& config) {
  const NoiseSchedule schedule(config);
  std::vector<double> sigmas;
  for (int64_t t = 0; t < schedule.num_timesteps(); ++t) {
    // Pure noise has no sigma: 2^-24 of signal, as published walks have it.
    constexpr double kLeastSignal = 1.0 / (1 << 24);
    const double alpha_bar =
        std::max(double(schedule.alpha_bar(t)), kLeastSignal);
    sigmas.push_back(std::sqrt((1 - alpha_bar) / alpha_bar));
  }
  return sigmas;
}

/// Highest first.
std::vector<double> spaced(const ScheduleConfig& config, int64_t num_steps,
                           bool whole) {
  const auto T = config.num_train_timesteps;
  check_range("sampler", "num_steps", double(num_steps), 1, double(T));
  std::vector<double> timesteps;
  const auto divisions = whole ? num_steps + 1 : num_steps;
  for (int64_t i = 0; i < num_steps; ++i) {
    const auto left = double(divisions - 1 - i);
    double t = 0;
    if (config.timestep_spacing == "linspace") {
      t = divisions > 1 ? left * double(T - 1) / double(divisions - 1) : 0;
      if (whole) t = std::nearbyint(t);
    } else if (config.timestep_spacing == "leading") {
      t = left * double(std::max<int64_t>(1, T / divisions)) +
          double(config.steps_offset);
    } else {
      t = std::nearbyint(double(T) -
                         double(i) * double(T) / double(num_steps)) -
          1;
    }
    timesteps.push_back(t);
  }
  if (timesteps.front() > double(T - 1))
    throw ConfigError(fmt::format(
        "sampler: {} leading steps with steps_offset {} begin at timestep {}, "
        "but the highest is {}",
        num_steps, config.steps_offset, timesteps.front(), T - 1));
  return timesteps;
}

double at_timestep(const std::vector<double>& sigmas, double t) {
  const auto below =
      std::min(size_t(t), sigmas.size() < 2 ? 0 : sigmas.size() - 2);
  if (sigmas.size() < 2) return sigmas[0];
  const double share = t - double(below);
  return (1 - share) * sigmas[below] + share * sigmas[below + 1];
}

/// The timestep of a sigma, between those of training in the logarithm.
double timestep_of(const std::vector<double>& sigmas, double sigma) {
  if (sigmas.size() < 2) return 0;
  const auto above = std::upper_bound(sigmas.begin(), sigmas.end(), sigma);
  const auto low = std::clamp<int64_t>(above - sigmas.begin() - 1, 0,
                                       int64_t(sigmas.size()) - 2);
  const double from = std::log(sigmas[size_t(low)]),
               to = std::log(sigmas[size_t(low) + 1]);
  return double(low) +
         std::clamp((std::log(sigma) - from) / (to - from), 0.0, 1.0);
}

/// n sigmas from `high` to `low`.
std::vector<double> respaced(const ScheduleConfig& config, double low,
                             double high, int64_t n) {
  constexpr double kRho = 7;
  std::vector<double> sigmas;
  for (int64_t i = 0; i < n; ++i) {
    const double share = n > 1 ? double(i) / double(n - 1) : 0;
    sigmas.push_back(config.use_karras_sigmas
                         ? std::pow(std::pow(high, 1 / kRho) +
                                        share * (std::pow(low, 1 / kRho) -
                                                 std::pow(high, 1 / kRho)),
                                    kRho)
                         : std::exp(std::log(high) +
                                    share * (std::log(low) - std::log(high))));
  }
  return sigmas;
}

}  // namespace

NoiseLevels noise_levels(const ScheduleConfig& config, int64_t num_steps,
                         bool whole) {
  const auto trained = training_sigmas(config);
  NoiseLevels levels{.timesteps = spaced(config, num_steps, whole)};
  for (const auto t : levels.timesteps)
    levels.sigmas.push_back(at_timestep(trained, t));
  if (config.use_karras_sigmas || config.use_exponential_sigmas) {
    // Multistep solvers walk all of training's range, the others that of the
    // timesteps: published walks differ in this.
    levels.sigmas =
        respaced(config, whole ? trained.front() : levels.sigmas.back(),
                 whole ? trained.back() : levels.sigmas.front(), num_steps);
    for (int64_t i = 0; i < num_steps; ++i) {
      const double t = timestep_of(trained, levels.sigmas[size_t(i)]);
      levels.timesteps[size_t(i)] = whole ? std::nearbyint(t) : t;
    }
  }
  levels.sigmas.push_back(config.final_sigmas_type == "zero" ? 0
                                                             : trained.front());
  return levels;
}

NoiseLevels flow_levels(const ScheduleConfig& config, int64_t num_steps) {
  const auto T = double(config.num_train_timesteps);
  check_range("sampler", "num_steps", double(num_steps), 1, T);
  const auto shifted = [&](double sigma) {
    return config.shift * sigma / (1 + (config.shift - 1) * sigma);
  };
  // Published walks shift twice: the ends of training's range, and the steps.
  const double high = shifted(1), low = shifted(1 / T);
  NoiseLevels levels;
  for (int64_t i = 0; i < num_steps; ++i) {
    const double share = num_steps > 1 ? double(i) / double(num_steps - 1) : 0;
    levels.sigmas.push_back(shifted(high + share * (low - high)));
    levels.timesteps.push_back(levels.sigmas.back() * T);
  }
  levels.sigmas.push_back(0);
  return levels;
}

Mixture mixture(double sigma) {
  const double signal = 1 / std::hypot(sigma, 1);
  return {signal, sigma * signal, -std::log(sigma)};
}

LevelSampler::LevelSampler(const ScheduleConfig& config, int64_t num_steps)
    : config_(config),
      levels_(noise_levels(config, num_steps, /*whole=*/false)) {
  timesteps_ = levels_.timesteps;
}

double LevelSampler::initial_sigma() const {
  // Leading walks begin below the last timestep, and so not at noise alone.
  const double first = sigma(0);
  return config_.timestep_spacing == "leading" ? std::hypot(first, 1) : first;
}

at::Tensor LevelSampler::model_input(const at::Tensor& sample,
                                     int64_t step_index) const {
  return sample / std::hypot(sigma(step_index), 1);
}

at::Tensor LevelSampler::denoised(const at::Tensor& output,
                                  const at::Tensor& sample,
                                  double sigma) const {
  at::Tensor x0;
  const double square = sigma * sigma + 1;
  if (config_.prediction_type == "sample")
    x0 = output;
  else if (config_.prediction_type == "v_prediction")
    x0 = sample / square - output * (sigma / std::sqrt(square));
  else
    x0 = sample - sigma * output;
  return bound_x0(x0, config_);
}

}  // namespace calotype
