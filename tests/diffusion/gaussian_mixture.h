#pragma once

#include <torch/types.h>

#include "diffusion/prediction.h"
#include "diffusion/sampler.h"

namespace calotype {

/// A mixture of Gaussians of equal weight, whose denoiser is known in closed
/// form: x_0 given x = signal x_0 + noise epsilon is a mixture again.
struct GaussianMixture {
  at::Tensor means;  // [K,F] double
  double std = 0.1;  // of each, in every direction

  /// The mean of x_0 given `state` [N,F] double.
  at::Tensor posterior_mean(const at::Tensor& state,
                            const Mixture& mixture) const {
    const double variance = std * std;
    const double spread = mixture.signal * mixture.signal * variance +
                          mixture.noise * mixture.noise;
    const auto off = state.unsqueeze(1) - mixture.signal * means;  // [N,K,F]
    const auto weights =
        (-0.5 * off.square().sum(2) / spread).softmax(1);  // [N,K]
    const auto each =
        means + (mixture.signal * variance / spread) * off;  // [N,K,F]
    return (weights.unsqueeze(2) * each).sum(1);
  }

  at::Tensor draw(int64_t count) const {
    const auto which = torch::randint(means.size(0), {count}, torch::kLong);
    return means.index_select(0, which) +
           std * torch::randn({count, means.size(1)}, torch::kDouble);
  }
};

/// The network that an endless training on `data` would lead to.
inline Network exact_network(const ScheduleConfig& config,
                             const GaussianMixture& data) {
  return [config, data](const at::Tensor& sample, const at::Tensor&,
                        double sigma) {
    Mixture mixture{1, sigma};
    if (noise_path(config) == NoisePath::kFlow)
      mixture = std::isinf(sigma)
                    ? Mixture{0, 1}
                    : Mixture{1 / (1 + sigma), sigma / (1 + sigma)};
    if (noise_path(config) == NoisePath::kVariancePreserving)
      mixture = {1 / std::hypot(sigma, 1), sigma / std::hypot(sigma, 1)};
    const auto state = sample / input_scale(config, mixture);
    const auto x0 = data.posterior_mean(state, mixture);
    const auto level = [&](double value) {
      return torch::full({sample.size(0)}, value, torch::kDouble);
    };
    const auto noise = (state - mixture.signal * x0) / mixture.noise;
    return prediction_target(config, x0, noise,
                             {level(mixture.signal), level(mixture.noise)});
  };
}

}  // namespace calotype
