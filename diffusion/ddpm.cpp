#include "diffusion/ddpm.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

#include "diffusion/prediction.h"
#include "diffusion/timesteps.h"

namespace calotype {

DdpmSampler::DdpmSampler(const ScheduleConfig& config, int64_t num_steps)
    : config_(config), schedule_(config) {
  const auto visited = spaced_timesteps(config, num_steps);
  timesteps_.assign(visited.begin(), visited.end());
}

// Section 3.2: sigma^2 = beta_t (large) or the posterior's variance (small).
// The log forms of the configuration are the same numbers kept as logarithms.
float DdpmSampler::noise_scale(float posterior_variance, float beta) const {
  constexpr float kSmallest = 1e-20f;
  const bool large = config_.variance_type.starts_with("fixed_large");
  return std::sqrt(large ? beta : std::max(posterior_variance, kSmallest));
}

at::Tensor DdpmSampler::step(const at::Tensor& output, const at::Tensor& sample,
                             int64_t step_index, const NoiseSource& noise) {
  const bool last = step_index + 1 == num_steps();
  const auto t = int64_t(timesteps_.at(size_t(step_index)));
  const float alpha_bar = schedule_.alpha_bar(t);
  const float alpha_bar_next =
      last ? 1.0f
           : schedule_.alpha_bar(int64_t(timesteps_[size_t(step_index) + 1]));
  // Of the strided chain, whose alpha is the ratio of two alpha_bars.
  const float alpha = alpha_bar / alpha_bar_next;
  const float beta = 1 - alpha;

  const auto prediction =
      read_prediction(config_.prediction_type, output, sample, alpha_bar);
  const auto x0 = bound_x0(prediction.x0, config_);

  // Equation 7, the mean of q(x_{t-1} | x_t, x_0).
  const float x0_weight = std::sqrt(alpha_bar_next) * beta / (1 - alpha_bar);
  const float sample_weight =
      std::sqrt(alpha) * (1 - alpha_bar_next) / (1 - alpha_bar);
  const auto mean = x0_weight * x0 + sample_weight * sample;
  // Algorithm 2, line 3: z = 0 at the first timestep. A walk that ends
  // elsewhere (trailing) adds noise to the last, as published trajectories do.
  if (t == 0) return mean;
  const float variance = (1 - alpha_bar_next) / (1 - alpha_bar) * beta;
  return mean + noise_scale(variance, beta) * noise(step_index);
}

}  // namespace calotype
