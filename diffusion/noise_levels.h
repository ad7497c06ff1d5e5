#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "diffusion/sampler.h"
#include "diffusion/schedule.h"

// Walks told by their noise alone: y = x_0 + sigma noise, where a state x of
// the schedule is y sqrt(alpha_bar), and sigma^2 = (1 - alpha_bar) / alpha_bar
// (arXiv:2206.00364, section 2).
namespace calotype {

struct NoiseLevels {
  std::vector<double> timesteps;  // n, highest first: what the network is told
  std::vector<double> sigmas;     // n + 1: at each, and where the walk ends
};

/// Levels at evenly spaced timesteps (`timestep_spacing`), or at sigmas spaced
/// as use_karras_sigmas (arXiv:2206.00364, equation 5 with rho 7) or
/// use_exponential_sigmas say. `whole`: at timesteps of training, as multistep
/// solvers walk, with one more step counted at the bottom. Throws ConfigError
/// as spaced_timesteps does.
NoiseLevels noise_levels(const ScheduleConfig& config, int64_t num_steps,
                         bool whole);

/// Levels of a straight path x = (1 - sigma) x_0 + sigma noise (flow matching,
/// arXiv:2209.03003), moved towards noise by `shift` (arXiv:2403.03206,
/// equation 23).
NoiseLevels flow_levels(const ScheduleConfig& config, int64_t num_steps);

/// A level as parts of x = signal x_0 + noise epsilon.
struct Mixture {
  double signal, noise;
  double log_snr;  // log(signal / noise), infinite without noise
};
Mixture mixture(double sigma);

/// What samplers that walk by noise levels share: states are y.
class LevelSampler : public Sampler {
 public:
  double initial_sigma() const override;

  /// y / sqrt(sigma^2 + 1), which is x.
  at::Tensor model_input(const at::Tensor& sample,
                         int64_t step_index) const override;

 protected:
  explicit LevelSampler(const ScheduleConfig& config, int64_t num_steps);

  /// x_0 as `output` tells it at `sample` of noise `sigma`.
  at::Tensor denoised(const at::Tensor& output, const at::Tensor& sample,
                      double sigma) const;

  double sigma(int64_t index) const { return levels_.sigmas.at(size_t(index)); }

  ScheduleConfig config_;
  NoiseLevels levels_;
};

}  // namespace calotype
