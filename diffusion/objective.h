#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "diffusion/denoiser.h"
#include "diffusion/latent_space.h"
#include "diffusion/schedule.h"
#include "diffusion/training_levels.h"
#include "nn/trainable.h"

namespace calotype {

struct ObjectiveConfig {
  double label_dropout = 0.1;  // share of samples that are shown no label
  std::string weighting = "uniform";  // uniform, min_snr, edm
  double min_snr_gamma = 5;  // where min_snr cuts the signal-to-noise ratio
  double variance_weight = 1e-3;  // of all T terms of the bound, if learned
  TimeSamplingConfig time_sampling;

  /// Throws ConfigError naming the key.
  void validate() const;
};

template <class Visitor>
void visit_fields(ObjectiveConfig& c, Visitor&& visit) {
  visit("label_dropout", c.label_dropout);
  visit("weighting", c.weighting);
  visit("min_snr_gamma", c.min_snr_gamma);
  visit("variance_weight", c.variance_weight);
  visit("time_sampling", c.time_sampling);
}

/// A batch made ready for the network.
struct NoisyBatch {
  at::Tensor x0;       // [N,D,h,w] normalised
  at::Tensor noise;    // [N,D,h,w]
  DrawnLevels levels;  // [N] how both are mixed
  at::Tensor labels;   // [N] int64 with the null class, or undefined
};

/// The training loss of denoising (DDPM, arXiv:2006.11239, algorithm 1 and
/// equation 14; rectified flow, arXiv:2209.03003, equation 1; EDM,
/// arXiv:2206.00364, equation 8), with labels hidden for classifier-free
/// guidance (arXiv:2207.12598, algorithm 1). A network with twice the channels
/// learns its variances too (improved DDPM, arXiv:2102.09672, equation 16).
class Objective {
 public:
  Objective(const ObjectiveConfig& config, const ScheduleConfig& schedule,
            const LatentSpace& space);

  /// Draws latents from their posteriors, normalises them, and draws levels,
  /// noise and hidden labels. Row k depends on (seed, step, samples[k]) and its
  /// own data alone. Throws ConfigError for labels outside [-1, num_classes).
  NoisyBatch draw(const Batch& batch, int64_t num_classes) const;

  /// Weighted mean squared error; the part "mse" is without weights. Throws
  /// ConfigError if the answer's channels are neither D nor, with a learned
  /// variance_type, 2D.
  Losses losses(Denoiser& denoiser, const Batch& batch) const;

  /// Weight of each error of the network's answer: float [N]. They are given
  /// for errors of x_0, and expressed for what the network answers:
  /// min_snr is min(SNR, gamma) (arXiv:2303.09556, section 3.4), edm is
  /// 1/sigma^2 + 1/sigma_data^2 (arXiv:2206.00364, table 1), which is uniform
  /// in EDM's own terms. uniform is 1 for the answer itself.
  at::Tensor weights(const DrawnLevels& levels) const;

  const TrainingLevels& levels() const { return levels_; }

 private:
  at::Tensor draw_latents(const Batch& batch) const;
  at::Tensor draw_labels(const Batch& batch, int64_t num_classes) const;

  /// The error of x_0 over the angle between signal and noise, in which all
  /// paths and answers compare: on any path, how well x_0 is told at one level.
  LossByLevel error_by_level(const DrawnLevels& levels,
                             const at::Tensor& error) const;
  void expect_channels(int64_t answered, int64_t D) const;

  ObjectiveConfig config_;
  ScheduleConfig schedule_;
  TrainingLevels levels_;
  LatentSpace space_;
};

}  // namespace calotype
