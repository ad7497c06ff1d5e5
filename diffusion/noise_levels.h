#pragma once

#include <vector>

#include "diffusion/sampler.h"
#include "diffusion/schedule.h"

// Walks told by their noise levels sigma, which are noise over signal where the
// path preserves or explodes variance, and the share of noise on a flow.
namespace calotype {

struct NoiseLevels {
  std::vector<double> timesteps;  // n, highest first: what the network is told
  std::vector<double> sigmas;     // n + 1: at each, and where the walk ends
};

/// The levels of `num_steps` steps:
/// - variance preserving: evenly spaced timesteps (`timestep_spacing`), or
///   sigmas spaced as use_karras_sigmas (EDM, arXiv:2206.00364, equation 5 with
///   rho 7) or use_exponential_sigmas say;
/// - variance exploding: from sigma_max to sigma_min as sigma_schedule says,
///   where the network is told log(sigma) / 4 (table 1);
/// - flow: evenly from noise to data, moved towards noise by `shift`
///   (arXiv:2403.03206, equation 23), where the network is told sigma T.
/// Throws ConfigError as spaced_timesteps does.
NoiseLevels noise_levels(const ScheduleConfig& config, int64_t num_steps);

/// The same for solvers that look back over several steps. Where timesteps are
/// counted they are asked at whole ones, with a step more counted at the
/// bottom, so that num_steps is below T; a flow begins just below pure noise,
/// where the logarithm of the signal is finite.
NoiseLevels multistep_levels(const ScheduleConfig& config, int64_t num_steps);

/// The timestep that the network is told at `sigma`.
double timestep_at(const ScheduleConfig& config, double sigma);

/// The timesteps that a network is told in training and sampling.
struct TimestepRange {
  double low, high;
};
TimestepRange timestep_range(const ScheduleConfig& config);

/// The largest sigma that the network was trained at.
double largest_sigma(const ScheduleConfig& config);

/// What samplers that walk by noise levels share.
class LevelSampler : public Sampler {
 public:
  Mixture level(int64_t index) const override;
  double initial_sigma() const override;
  at::Tensor model_input(const at::Tensor& state, int64_t index) const override;
  at::Tensor estimate(const at::Tensor& output, const at::Tensor& state,
                      int64_t index) const override;

 protected:
  /// What states are where the path preserves variance.
  enum class States {
    kScaled,    // x_0 + sigma epsilon
    kOriginal,  // as the network was trained
  };

  LevelSampler(const ScheduleConfig& config, const NoiseLevels& levels,
               States states);

  double sigma(int64_t index) const { return sigmas_.at(size_t(index)); }

  ScheduleConfig config_;
  std::vector<double> sigmas_;

 private:
  States states_;
};

}  // namespace calotype
