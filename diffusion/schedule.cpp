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

// Values [N] of `table` at `t`, shaped to multiply something like `like`.
at::Tensor gather_for(const at::Tensor& table, const at::Tensor& t,
                      const at::Tensor& like) {
  std::vector<int64_t> shape(size_t(like.dim()), 1);
  shape[0] = t.size(0);
  return table.index_select(0, t.to(at::kCPU)).view(shape).to(like.device());
}

void check_batch(const at::Tensor& x0, const at::Tensor& noise,
                 const at::Tensor& t) {
  check_shape("NoiseSchedule", "t", t, {x0.size(0)});
  if (x0.sizes() != noise.sizes())
    throw ShapeError("NoiseSchedule: noise must be " + shape_text(x0.sizes()) +
                     " as x0 is, got " + shape_text(noise.sizes()));
}

}  // namespace

void ScheduleConfig::validate() const {
  const auto* where = "schedule";
  check_range(where, "num_train_timesteps", double(num_train_timesteps), 1,
              1e6);
  check_one_of(where, "beta_schedule", beta_schedule,
               {"linear", "scaled_linear", "squaredcos_cap_v2"});
  // A float alpha of 1 - beta must differ from 1.
  constexpr double kSmallestBeta = 1e-7;
  check_range(where, "beta_start", beta_start, kSmallestBeta, 0.9999);
  check_range(where, "beta_end", beta_end, beta_start, 0.9999);
  check_one_of(where, "prediction_type", prediction_type,
               {"epsilon", "sample", "v_prediction"});
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
  if (variance_type == "learned" || variance_type == "learned_range")
    throw ConfigError(
        "schedule: variance_type " + variance_type +
        " needs a network that also predicts variances; use "
        "fixed_small, fixed_small_log, fixed_large or fixed_large_log");
  check_one_of(
      where, "variance_type", variance_type,
      {"fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"});
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

at::Tensor NoiseSchedule::add_noise(const at::Tensor& x0,
                                    const at::Tensor& noise,
                                    const at::Tensor& t) const {
  check_batch(x0, noise, t);
  const auto alpha_bar = gather_for(alphas_cumprod_, t, x0);
  return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise;
}

at::Tensor NoiseSchedule::velocity(const at::Tensor& x0,
                                   const at::Tensor& noise,
                                   const at::Tensor& t) const {
  check_batch(x0, noise, t);
  const auto alpha_bar = gather_for(alphas_cumprod_, t, x0);
  return alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * x0;
}

at::Tensor NoiseSchedule::signal_to_noise(const at::Tensor& t) const {
  const auto alpha_bar = alphas_cumprod_.index_select(0, t.to(at::kCPU));
  return alpha_bar / (1 - alpha_bar);
}

}  // namespace calotype
