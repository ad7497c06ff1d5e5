#include "diffusion/noise_levels.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "diffusion/prediction.h"
#include "diffusion/timesteps.h"

namespace calotype {
namespace {

/// sigma of every timestep of training, lowest first.
std::vector<double> training_sigmas(const ScheduleConfig& config) {
  const NoiseSchedule schedule(config);
  std::vector<double> sigmas;
  for (int64_t t = 0; t < schedule.num_timesteps(); ++t) {
    // Pure noise has no sigma: 2^-24 of signal, as published walks have it.
    constexpr double kLeastSignal = 1.0 / (1 << 24);
    double alpha_bar = schedule.alpha_bar(t);
    if (alpha_bar == 0) alpha_bar = kLeastSignal;
    sigmas.push_back(std::sqrt((1 - alpha_bar) / alpha_bar));
  }
  return sigmas;
}

double at_timestep(const std::vector<double>& sigmas, double t) {
  const auto below = size_t(t);
  if (below + 1 >= sigmas.size()) return sigmas.back();
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
  if (from == to) return double(low);
  return double(low) +
         std::clamp((std::log(sigma) - from) / (to - from), 0.0, 1.0);
}

/// n sigmas from `high` to `low`, evenly spaced after `to`.
template <class To, class Back>
std::vector<double> spaced_after(double high, double low, int64_t n, To to,
                                 Back back) {
  std::vector<double> sigmas;
  for (int64_t i = 0; i < n; ++i) {
    const double share = n > 1 ? double(i) / double(n - 1) : 0;
    sigmas.push_back(back(to(high) + share * (to(low) - to(high))));
  }
  return sigmas;
}

std::vector<double> spaced_sigmas(const std::string& how, double rho,
                                  double high, double low, int64_t n) {
  if (how == "karras")
    return spaced_after(
        high, low, n, [&](double s) { return std::pow(s, 1 / rho); },
        [&](double s) { return std::pow(s, rho); });
  if (how == "exponential")
    return spaced_after(
        high, low, n, [](double s) { return std::log(s); },
        [](double s) { return std::exp(s); });
  const auto same = [](double s) { return s; };
  return spaced_after(high, low, n, same, same);
}

double shifted(const ScheduleConfig& config, double sigma) {
  return config.shift * sigma / (1 + (config.shift - 1) * sigma);
}

NoiseLevels preserving_levels(const ScheduleConfig& config, int64_t num_steps,
                              bool multistep) {
  const auto trained = training_sigmas(config);
  NoiseLevels levels{.timesteps = multistep
                                      ? whole_timesteps(config, num_steps, true)
                                      : spaced_timesteps(config, num_steps)};
  for (const auto t : levels.timesteps)
    levels.sigmas.push_back(at_timestep(trained, t));
  if (config.use_karras_sigmas || config.use_exponential_sigmas) {
    // Published multistep walks span all of training's range, the others that
    // of the timesteps. What a caller asked for spans all of it.
    constexpr double kRho = 7;
    const bool whole_range =
        multistep || std::isfinite(config.largest_spaced_sigma);
    levels.sigmas = spaced_sigmas(
        config.use_karras_sigmas ? "karras" : "exponential", kRho,
        std::min(whole_range ? trained.back() : levels.sigmas.front(),
                 config.largest_spaced_sigma),
        whole_range ? trained.front() : levels.sigmas.back(), num_steps);
    for (int64_t i = 0; i < num_steps; ++i) {
      const double t = timestep_of(trained, levels.sigmas[size_t(i)]);
      levels.timesteps[size_t(i)] = multistep ? std::nearbyint(t) : t;
    }
  }
  levels.sigmas.push_back(config.final_sigmas_type == "zero" ? 0
                                                             : trained.front());
  return levels;
}

NoiseLevels exploding_levels(const ScheduleConfig& config, int64_t num_steps) {
  NoiseLevels levels;
  levels.sigmas = spaced_sigmas(config.sigma_schedule, config.rho,
                                config.sigma_max, config.sigma_min, num_steps);
  for (const auto sigma : levels.sigmas)
    levels.timesteps.push_back(timestep_at(config, sigma));
  levels.sigmas.push_back(
      config.final_sigmas_type == "zero" ? 0 : config.sigma_min);
  return levels;
}

NoiseLevels flow_levels(const ScheduleConfig& config, int64_t num_steps,
                        bool multistep) {
  const double least = 1 / double(config.num_train_timesteps);
  NoiseLevels levels;
  for (int64_t i = 0; i < num_steps; ++i) {
    if (multistep) {
      levels.sigmas.push_back(shifted(
          config, (1 - least) * double(num_steps - i) / double(num_steps)));
    } else {
      // Published walks shift twice: the ends of the range, and the steps.
      const double high = shifted(config, 1), low = shifted(config, least);
      const double share =
          num_steps > 1 ? double(i) / double(num_steps - 1) : 0;
      levels.sigmas.push_back(shifted(config, high + share * (low - high)));
    }
    levels.timesteps.push_back(timestep_at(config, levels.sigmas.back()));
  }
  levels.sigmas.push_back(0);
  return levels;
}

NoiseLevels levels_of(const ScheduleConfig& config, int64_t num_steps,
                      bool multistep) {
  config.validate();
  check_range("sampler", "num_steps", double(num_steps), 1,
              double(config.num_train_timesteps));
  switch (noise_path(config)) {
    case NoisePath::kFlow:
      return flow_levels(config, num_steps, multistep);
    case NoisePath::kVarianceExploding:
      return exploding_levels(config, num_steps);
    default:
      return preserving_levels(config, num_steps, multistep);
  }
}

}  // namespace

NoiseLevels noise_levels(const ScheduleConfig& config, int64_t num_steps) {
  return levels_of(config, num_steps, /*multistep=*/false);
}

NoiseLevels multistep_levels(const ScheduleConfig& config, int64_t num_steps) {
  return levels_of(config, num_steps, /*multistep=*/true);
}

double timestep_at(const ScheduleConfig& config, double sigma) {
  switch (noise_path(config)) {
    case NoisePath::kFlow:
      return sigma * double(config.num_train_timesteps);
    case NoisePath::kVarianceExploding:
      return std::log(sigma) / 4;
    default:
      return timestep_of(training_sigmas(config), sigma);
  }
}

TimestepRange timestep_range(const ScheduleConfig& config) {
  const auto T = double(config.num_train_timesteps);
  switch (noise_path(config)) {
    case NoisePath::kFlow:
      return {0, T};
    case NoisePath::kVarianceExploding:
      return {timestep_at(config, config.sigma_min),
              timestep_at(config, config.sigma_max)};
    default:
      return {0, T - 1};
  }
}

double largest_sigma(const ScheduleConfig& config) {
  switch (noise_path(config)) {
    case NoisePath::kFlow:
      return 1;
    case NoisePath::kVarianceExploding:
      return config.sigma_max;
    default:
      return training_sigmas(config).back();
  }
}

LevelSampler::LevelSampler(const ScheduleConfig& config,
                           const NoiseLevels& levels, States states)
    : config_(config), sigmas_(levels.sigmas), states_(states) {
  timesteps_ = levels.timesteps;
}

Mixture LevelSampler::level(int64_t index) const {
  const double s = sigma(index);
  if (noise_path(config_) == NoisePath::kFlow) return {1 - s, s};
  if (noise_path(config_) == NoisePath::kVarianceExploding ||
      states_ == States::kScaled)
    return {1, s};
  const double length = std::hypot(s, 1);
  return {1 / length, s / length};
}

double LevelSampler::initial_sigma() const {
  const double first = sigma(0);
  if (noise_path(config_) == NoisePath::kVarianceExploding) return first;
  if (noise_path(config_) == NoisePath::kFlow || states_ == States::kOriginal)
    return 1;
  // Leading walks begin below the last timestep, and so not at noise alone.
  return config_.timestep_spacing == "leading" ? std::hypot(first, 1) : first;
}

at::Tensor LevelSampler::model_input(const at::Tensor& state,
                                     int64_t index) const {
  constexpr double kRounding = 1e-12;
  const double scale = input_scale(config_, level(index));
  return std::abs(scale - 1) < kRounding ? state : state * scale;
}

at::Tensor LevelSampler::estimate(const at::Tensor& output,
                                  const at::Tensor& state,
                                  int64_t index) const {
  return bound_x0(predicted_x0(config_, output, state, level(index)), config_);
}

}  // namespace calotype
