#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "diffusion/mixture.h"

namespace calotype {

/// Standard normal noise for question `index`, of the shape of the samples.
using NoiseSource = std::function<at::Tensor(int64_t index)>;

/// One walk from noise to samples [N, ...]: a row of questions to the network,
/// and what to do with its answers. Made for a number of steps, used once. It
/// owns the formula alone; networks and random numbers come from outside.
class Sampler {
 public:
  virtual ~Sampler() = default;

  /// Timesteps at which the network is asked, in order.
  const std::vector<double>& timesteps() const { return timesteps_; }
  int64_t num_questions() const { return int64_t(timesteps_.size()); }

  /// What the state before question `index` is made of; behind the last
  /// question, what the walk ends with.
  virtual Mixture level(int64_t index) const = 0;

  /// Standard deviation of the noise that the walk starts from.
  virtual double initial_sigma() const { return 1; }

  /// Whether the state before question `index` is that of a whole step: a walk
  /// may begin there.
  virtual bool begins_step(int64_t index) const { return index >= 0; }

  /// Whether answers must be [N,2D,h,w] with variances in their second half.
  virtual bool reads_variance() const { return false; }

  /// What the network is shown of `state` at question `index`.
  virtual at::Tensor model_input(const at::Tensor& state, int64_t index) const;

  /// x_0 as the network's `output` tells it, bounded as the schedule says.
  virtual at::Tensor estimate(const at::Tensor& output, const at::Tensor& state,
                              int64_t index) const = 0;

  /// The next state from the network's `output` at `state`. Asks `noise` only
  /// where the formula adds some.
  virtual at::Tensor step(const at::Tensor& output, const at::Tensor& state,
                          int64_t index, const NoiseSource& noise) = 0;

 protected:
  std::vector<double> timesteps_;
};

/// A network's answer to noisy samples [N, ...] at `timestep`, float [N].
/// `sigma`: noise over signal there, the same for all.
using Network = std::function<at::Tensor(
    const at::Tensor& sample, const at::Tensor& timestep, double sigma)>;

/// One question answered.
struct SamplerProgress {
  int64_t index = 0;
  const at::Tensor& state;               // behind it
  std::function<at::Tensor()> estimate;  // computes Sampler::estimate
};

struct WalkOptions {
  int64_t first = 0;  // question that the walk begins with

  /// Whether what the network was shown of a state stands for it from there on
  /// (PipelineNoise::is_dit).
  bool walks_on_input = false;

  std::function<void(const SamplerProgress&)> on_step;  // may throw

  /// Changes the state before question `index` (or behind the last), at the end
  /// of whole steps.
  std::function<at::Tensor(const at::Tensor& state, int64_t index)> constrain;
};

/// The question with which a walk begins that repaints `strength`, in (0,1], of
/// its steps.
int64_t first_question(const Sampler& sampler, double strength);

/// Walks from `state` [N, ...], which is as Sampler::level tells at the first
/// question, to samples. Throws DataError, naming the step, if the network's
/// answer is not finite; ConfigError if it has other channels than D or 2D, or
/// no variances but the sampler reads them.
at::Tensor run_sampler(Sampler& sampler, at::Tensor state,
                       const Network& network, const NoiseSource& noise,
                       const WalkOptions& options = {});

}  // namespace calotype
