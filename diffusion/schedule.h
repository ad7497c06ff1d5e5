#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/mixture.h"

namespace calotype {

/// How noise is mixed into data.
enum class NoisePath {
  kVariancePreserving,  // sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) epsilon
  kFlow,                // (1 - sigma) x_0 + sigma epsilon, sigma in [0,1]
  kVarianceExploding,   // x_0 + sigma epsilon
};

/// How noise grows over the T timesteps of training, what the network predicts
/// and how samplers walk back. The keys are those of a diffusers
/// `scheduler_config.json`; a sampler reads the ones that concern it.
struct ScheduleConfig {
  int64_t num_train_timesteps = 1000;  // T
  double beta_start = 1e-4;            // beta_1, of linear and scaled_linear
  double beta_end = 0.02;              // beta_T
  std::string beta_schedule =
      "linear";  // linear, scaled_linear, squaredcos_cap_v2, sigmoid
  std::optional<std::vector<double>>
      trained_betas;                    // T betas in place of a formula
  bool rescale_betas_zero_snr = false;  // the last timestep is pure noise

  // What the network answers, which also says how noise is mixed in: epsilon,
  // sample or v_prediction (variance preserving), flow_prediction (flow), edm
  // (variance exploding, with EDM's preconditioning).
  std::string prediction_type = "epsilon";

  std::string timestep_spacing = "leading";  // leading, linspace, trailing
  int64_t steps_offset = 0;                  // added to leading timesteps

  // What becomes of the estimate of x_0 at each step. Latents have no bounds of
  // their own, so neither is on unless a file or the user says so.
  bool clip_sample = false;
  double clip_sample_range = 1;               // clip to [-range, range]
  bool thresholding = false;                  // dynamic thresholding instead
  double dynamic_thresholding_ratio = 0.995;  // quantile of |x_0|
  double sample_max_value = 1;                // upper limit of the threshold

  // Of DDPM: fixed_{small,large}[_log], learned_range. (What others call
  // learned is a variance here and its logarithm there.)
  std::string variance_type = "fixed_small";
  bool set_alpha_to_one = true;  // DDIM ends at alpha_bar 1, not alpha_bar_0

  // Of samplers that walk by noise levels (diffusion/noise_levels.h).
  bool use_karras_sigmas = false;
  bool use_exponential_sigmas = false;
  // Where both begin at most. Not a key of files, which begin where training
  // ends: far beyond any use where betas are squaredcos_cap_v2.
  double largest_spaced_sigma = std::numeric_limits<double>::infinity();
  std::string final_sigmas_type = "zero";      // zero, sigma_min
  int64_t solver_order = 2;                    // DPM-Solver++, UniPC: 1, 2
  std::string algorithm_type = "dpmsolver++";  // or sde-dpmsolver++

  // Of flow matching: > 1 spends more steps at much noise (arXiv:2403.03206,
  // equation 23), in training and in sampling.
  double shift = 1;

  // Of EDM (arXiv:2206.00364, table 1 and equation 5).
  double sigma_min = 0.002;
  double sigma_max = 80;
  double sigma_data = 0.5;                // standard deviation of the data
  std::string sigma_schedule = "karras";  // karras, exponential, linear
  double rho = 7;                         // of karras

  // Of EDM's stochastic sampler (table 5, ImageNet-64).
  double s_churn = 40;
  double s_tmin = 0.05;
  double s_tmax = 50;
  double s_noise = 1.003;

  /// Throws ConfigError naming the key.
  void validate() const;
};

template <class Visitor>
void visit_fields(ScheduleConfig& c, Visitor&& visit) {
  visit("num_train_timesteps", c.num_train_timesteps);
  visit("beta_start", c.beta_start);
  visit("beta_end", c.beta_end);
  visit("beta_schedule", c.beta_schedule);
  visit("trained_betas", c.trained_betas);
  visit("rescale_betas_zero_snr", c.rescale_betas_zero_snr);
  visit("prediction_type", c.prediction_type);
  visit("timestep_spacing", c.timestep_spacing);
  visit("steps_offset", c.steps_offset);
  visit("clip_sample", c.clip_sample);
  visit("clip_sample_range", c.clip_sample_range);
  visit("thresholding", c.thresholding);
  visit("dynamic_thresholding_ratio", c.dynamic_thresholding_ratio);
  visit("sample_max_value", c.sample_max_value);
  visit("variance_type", c.variance_type);
  visit("set_alpha_to_one", c.set_alpha_to_one);
  visit("use_karras_sigmas", c.use_karras_sigmas);
  visit("use_exponential_sigmas", c.use_exponential_sigmas);
  visit("final_sigmas_type", c.final_sigmas_type);
  visit("solver_order", c.solver_order);
  visit("algorithm_type", c.algorithm_type);
  visit("shift", c.shift);
  visit("sigma_min", c.sigma_min);
  visit("sigma_max", c.sigma_max);
  visit("sigma_data", c.sigma_data);
  visit("sigma_schedule", c.sigma_schedule);
  visit("rho", c.rho);
  visit("s_churn", c.s_churn);
  visit("s_tmin", c.s_tmin);
  visit("s_tmax", c.s_tmax);
  visit("s_noise", c.s_noise);
}

NoisePath noise_path(const ScheduleConfig& config);

/// The forward process q(x_t | x_0) = N(sqrt(alpha_bar_t) x_0, (1 -
/// alpha_bar_t) I) (DDPM, arXiv:2006.11239, equation 4) for t in [0, T).
class NoiseSchedule {
 public:
  /// Throws ConfigError as ScheduleConfig::validate does.
  explicit NoiseSchedule(const ScheduleConfig& config);

  int64_t num_timesteps() const { return alphas_cumprod_.size(0); }

  /// alpha_bar_t. It is a float because checkpoints were trained with float
  /// tables: samplers that computed it better would leave their trajectory.
  float alpha_bar(int64_t t) const;

  /// alpha_bar of all timesteps: float [T] on the CPU.
  const at::Tensor& alphas_cumprod() const { return alphas_cumprod_; }

  /// sqrt(alpha_bar) and sqrt(1 - alpha_bar) at timestep `t`.
  Mixture mixture(int64_t t) const;

 private:
  at::Tensor alphas_cumprod_;  // float [T]
};

}  // namespace calotype
