#include "diffusion/schedule.h"

#include <ATen/Functions.h>

#include <cmath>
#include <numbers>

#include "core/check.h"
#include "core/error.h"

namespace calotype {
namespace {

// Improved DDPM, arXiv:2102.09672, equation 17: alpha_bar follows a squared
// cosine, and beta is capped so that the last step keeps a little signal.
at::Tensor cosine_betas(int64_t num_timesteps) {
  constexpr double kOffset = 0.008, kLargestBeta = 0.999;
  const auto alpha_bar = [&](int64_t t) {
    const double time = double(t) / double(num_timesteps);
    return std::pow(
        std::cos((time + kOffset) / (1 + kOffset) * std::numbers::pi / 2), 2);
  };
  auto betas = at::empty({num_timesteps}, at::kFloat);
  for (int64_t t = 0; t < num_timesteps; ++t)
    betas.data_ptr<float>()[t] =
        float(std::min(1 - alpha_bar(t + 1) / alpha_bar(t), kLargestBeta));
  return betas;
}

at::Tensor betas_of(const ScheduleConfig& c) {
  const auto T = c.num_train_timesteps;
  if (c.trained_betas) return at::tensor(*c.trained_betas).to(at::kFloat);
  if (c.beta_schedule == "linear")
    return at::linspace(c.beta_start, c.beta_end, T, at::kFloat);
  if (c.beta_schedule == "sigmoid")  // GeoDiff, arXiv:2203.02923, appendix
    return at::linspace(-6, 6, T, at::kFloat).sigmoid() *
               (c.beta_end - c.beta_start) +
           c.beta_start;
  if (c.beta_schedule == "scaled_linear")
    return at::linspace(std::sqrt(c.beta_start), std::sqrt(c.beta_end), T,
                        at::kFloat)
        .square();
  return cosine_betas(T);
}

// "Common Diffusion Noise Schedules and Sample Steps are Flawed",
// arXiv:2305.08891, algorithm 1: shifts and scales sqrt(alpha_bar) so that the
// first stays and the last becomes 0.
at::Tensor rescale_to_zero_snr(const at::Tensor& betas) {
  auto root = at::cumprod(1 - betas, 0).sqrt();
  const auto first = root[0].clone(), last = root[-1].clone();
  root = (root - last) * (first / (first - last));
  const auto alpha_bar = root.square();
  const auto alphas =
      at::cat({alpha_bar.slice(0, 0, 1),
               alpha_bar.slice(0, 1) / alpha_bar.slice(0, 0, -1)});
  return 1 - alphas;
}

}  // namespace

NoisePath noise_path(const ScheduleConfig& config) {
  if (config.prediction_type == "flow_prediction") return NoisePath::kFlow;
  if (config.prediction_type == "edm") return NoisePath::kVarianceExploding;
  return NoisePath::kVariancePreserving;
}

void ScheduleConfig::validate() const {
  const auto* where = "schedule";
  check_range(where, "num_train_timesteps", double(num_train_timesteps), 1,
              1e6);
  check_one_of(where, "beta_schedule", beta_schedule,
               {"linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"});
  // A float alpha of 1 - beta must differ from 1.
  constexpr double kSmallestBeta = 1e-7;
  check_range(where, "beta_start", beta_start, kSmallestBeta, 0.9999);
  check_range(where, "beta_end", beta_end, beta_start, 0.9999);
  check_one_of(where, "prediction_type", prediction_type,
               {"epsilon", "sample", "v_prediction", "flow_prediction", "edm"});
  check_one_of(where, "timestep_spacing", timestep_spacing,
               {"leading", "linspace", "trailing"});
  check_range(where, "steps_offset", double(steps_offset), 0,
              double(num_train_timesteps - 1));
  check_range(where, "clip_sample_range", clip_sample_range, 1e-6, 1e6);
  check_range(where, "dynamic_thresholding_ratio", dynamic_thresholding_ratio,
              0, 1);
  check_range(where, "sample_max_value", sample_max_value, 1, 1e6);
  check_one_of(where, "final_sigmas_type", final_sigmas_type,
               {"zero", "sigma_min"});
  check_range(where, "solver_order", double(solver_order), 1, 2);
  check_one_of(where, "algorithm_type", algorithm_type,
               {"dpmsolver++", "sde-dpmsolver++"});
  check_range(where, "shift", shift, 1e-3, 1e3);
  if (use_karras_sigmas && use_exponential_sigmas)
    throw ConfigError(
        "schedule: use_karras_sigmas and use_exponential_sigmas exclude each "
        "other");
  check_one_of(where, "variance_type", variance_type,
               {"fixed_small", "fixed_small_log", "fixed_large",
                "fixed_large_log", "learned_range"});
  check_range(where, "sigma_min", sigma_min, 1e-9, sigma_max);
  check_range(where, "sigma_max", sigma_max, 1e-9, 1e9);
  check_range(where, "sigma_data", sigma_data, 1e-6, 1e6);
  check_one_of(where, "sigma_schedule", sigma_schedule,
               {"karras", "exponential", "linear"});
  check_range(where, "rho", rho, 1e-3, 1e3);
  check_range(where, "s_churn", s_churn, 0, 1e6);
  check_range(where, "s_tmin", s_tmin, 0, 1e9);
  check_range(where, "s_tmax", s_tmax, 0, 1e9);
  check_range(where, "s_noise", s_noise, 0, 100);
  if (noise_path(*this) == NoisePath::kFlow &&
      (use_karras_sigmas || use_exponential_sigmas ||
       final_sigmas_type != "zero"))
    throw ConfigError(
        "schedule: a flow has levels of its own, without use_karras_sigmas, "
        "use_exponential_sigmas or a final_sigmas_type other than zero");
  if (variance_type == "learned_range" &&
      noise_path(*this) != NoisePath::kVariancePreserving)
    throw ConfigError(
        "schedule: variance_type learned_range needs a prediction_type of "
        "epsilon, "
        "sample or v_prediction, got " +
        prediction_type);
  if (rescale_betas_zero_snr && num_train_timesteps < 2)
    throw ConfigError(
        "schedule: rescale_betas_zero_snr needs two timesteps or more");
  if (!trained_betas) return;
  if (int64_t(trained_betas->size()) != num_train_timesteps)
    throw ConfigError(
        "schedule: trained_betas must hold num_train_timesteps = " +
        std::to_string(num_train_timesteps) + " numbers, got " +
        std::to_string(trained_betas->size()));
  for (const auto beta : *trained_betas)
    check_range(where, "trained_betas", beta, kSmallestBeta, 1);
}

NoiseSchedule::NoiseSchedule(const ScheduleConfig& config) {
  config.validate();
  auto betas = betas_of(config);
  if (config.rescale_betas_zero_snr) betas = rescale_to_zero_snr(betas);
  alphas_cumprod_ = at::cumprod(1 - betas, 0);
}

float NoiseSchedule::alpha_bar(int64_t t) const {
  if (t < 0 || t >= num_timesteps())
    throw ShapeError("NoiseSchedule: t must be in [0, " +
                     std::to_string(num_timesteps()) + "), got " +
                     std::to_string(t));
  return alphas_cumprod_.data_ptr<float>()[t];
}

Mixture NoiseSchedule::mixture(int64_t t) const {
  const double alpha_bar = this->alpha_bar(t);
  return {std::sqrt(alpha_bar), std::sqrt(1 - alpha_bar)};
}

}  // namespace calotype
