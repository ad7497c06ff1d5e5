#include "diffusion/ddpm.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

#include "diffusion/learned_variance.h"
#include "diffusion/prediction.h"
#include "diffusion/timesteps.h"

namespace calotype {

DdpmSampler::DdpmSampler(const ScheduleConfig& config, int64_t num_steps)
    : config_(config), schedule_(config) {
  timesteps_ = whole_timesteps(config, num_steps);
}

double DdpmSampler::alpha_bar(int64_t index) const {
  return index < num_questions()
             ? schedule_.alpha_bar(int64_t(timesteps_.at(size_t(index))))
             : 1.0;
}

Mixture DdpmSampler::level(int64_t index) const {
  return {std::sqrt(alpha_bar(index)), std::sqrt(1 - alpha_bar(index))};
}

bool DdpmSampler::reads_variance() const {
  return config_.variance_type == "learned_range";
}

at::Tensor DdpmSampler::estimate(const at::Tensor& output,
                                 const at::Tensor& state, int64_t index) const {
  const auto answer = output.narrow(1, 0, state.size(1));
  return bound_x0(predicted_x0(config_, answer, state, level(index)), config_);
}

// Section 3.2: sigma^2 = beta_t (large) or the posterior's variance (small).
// The log forms of the configuration are the same numbers kept as logarithms.
at::Tensor DdpmSampler::noise_scale(const at::Tensor& output,
                                    double posterior_variance,
                                    double beta) const {
  constexpr double kSmallest = 1e-20;
  const double small = std::max(posterior_variance, kSmallest);
  const auto log_of = [&](double variance) {
    return at::full({}, std::log(variance), output.options());
  };
  if (reads_variance())
    return (0.5 *
            log_variance(output.chunk(2, 1)[1], log_of(small), log_of(beta)))
        .exp();
  const bool large = config_.variance_type.starts_with("fixed_large");
  return at::full({}, std::sqrt(large ? beta : small), output.options());
}

at::Tensor DdpmSampler::step(const at::Tensor& output, const at::Tensor& state,
                             int64_t index, const NoiseSource& noise) {
  const double here = alpha_bar(index), next = alpha_bar(index + 1);
  // Of the strided chain, whose alpha is the ratio of two alpha_bars.
  const double alpha = here / next, beta = 1 - alpha;
  const auto x0 = estimate(output, state, index);
  // Equation 7, the mean of q(x_{t-1} | x_t, x_0).
  const auto mean = (std::sqrt(next) * beta / (1 - here)) * x0 +
                    (std::sqrt(alpha) * (1 - next) / (1 - here)) * state;
  // Algorithm 2, line 3: z = 0 at the first timestep. A walk that ends
  // elsewhere (trailing) adds noise to the last, as published trajectories do.
  if (timesteps_[size_t(index)] == 0) return mean;
  const double variance = (1 - next) / (1 - here) * beta;
  return mean + noise_scale(output, variance, beta) * noise(index);
}

}  // namespace calotype
