#include "diffusion/ddim.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "diffusion/prediction.h"
#include "diffusion/timesteps.h"

namespace calotype {

DdimSampler::DdimSampler(const ScheduleConfig& config, int64_t num_steps,
                         double eta)
    : config_(config), schedule_(config), eta_(eta) {
  check_range("sampler", "eta", eta, 0, 1);
  timesteps_ = whole_timesteps(config, num_steps);
}

double DdimSampler::alpha_bar(int64_t timestep) const {
  if (timestep >= 0) return schedule_.alpha_bar(timestep);
  return config_.set_alpha_to_one ? 1.0 : double(schedule_.alpha_bar(0));
}

Mixture DdimSampler::level(int64_t index) const {
  const double square = alpha_bar(
      index < num_questions() ? int64_t(timesteps_.at(size_t(index))) : -1);
  return {std::sqrt(square), std::sqrt(1 - square)};
}

at::Tensor DdimSampler::estimate(const at::Tensor& output,
                                 const at::Tensor& state, int64_t index) const {
  return bound_x0(predicted_x0(config_, output, state, level(index)), config_);
}

at::Tensor DdimSampler::step(const at::Tensor& output, const at::Tensor& state,
                             int64_t index, const NoiseSource& noise) {
  const auto t = int64_t(timesteps_.at(size_t(index)));
  // One stride down rather than the next timestep of the list: the two differ
  // where T is no multiple of the steps, and with linspace by up to a stride;
  // published trajectories use the stride all the same.
  const double here = alpha_bar(t),
               next =
                   alpha_bar(t - config_.num_train_timesteps / num_questions());
  const auto [signal, spread] = level(index);
  const auto unbounded = predicted_x0(config_, output, state, level(index));
  // The noise as the network saw it: bounding x_0 leaves it as it is.
  const auto epsilon = config_.prediction_type == "epsilon"
                           ? output
                           : (state - signal * unbounded) / spread;
  // Equation 16.
  const double variance = (1 - next) / (1 - here) * (1 - here / next);
  const double sigma = eta_ * std::sqrt(variance);
  // Equation 12. At the last step rounding may leave the root's argument below
  // 0.
  const double direction = std::sqrt(std::max(0.0, 1 - next - sigma * sigma));
  const auto mean =
      std::sqrt(next) * bound_x0(unbounded, config_) + direction * epsilon;
  return eta_ > 0 ? mean + sigma * noise(index) : mean;
}

}  // namespace calotype
