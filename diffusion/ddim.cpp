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
    : config_(config), schedule_(config), eta_(float(eta)) {
  check_range("sampler", "eta", eta, 0, 1);
  const auto visited = spaced_timesteps(config, num_steps);
  timesteps_.assign(visited.begin(), visited.end());
}

at::Tensor DdimSampler::step(const at::Tensor& output, const at::Tensor& sample,
                             int64_t step_index, const NoiseSource& noise) {
  const auto t = int64_t(timesteps_.at(size_t(step_index)));
  // One stride down rather than the next timestep of the list: the two differ
  // where T is no multiple of the steps, and published trajectories use the
  // stride.
  const auto next = t - config_.num_train_timesteps / num_steps();
  const float alpha_bar = schedule_.alpha_bar(t);
  const float alpha_bar_end =
      config_.set_alpha_to_one ? 1.0f : schedule_.alpha_bar(0);
  const float alpha_bar_next =
      next >= 0 ? schedule_.alpha_bar(next) : alpha_bar_end;

  const auto prediction =
      read_prediction(config_.prediction_type, output, sample, alpha_bar);
  const auto x0 = bound_x0(prediction.x0, config_);

  // Equation 16.
  const float variance =
      (1 - alpha_bar_next) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_next);
  const float sigma = eta_ * std::sqrt(variance);
  // Equation 12. At the last step rounding may leave the root's argument below
  // 0.
  const float direction =
      std::sqrt(std::max(0.0f, 1 - alpha_bar_next - sigma * sigma));
  const auto mean =
      std::sqrt(alpha_bar_next) * x0 + direction * prediction.epsilon;
  return eta_ > 0 ? mean + sigma * noise(step_index) : mean;
}

}  // namespace calotype
