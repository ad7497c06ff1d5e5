#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "diffusion/denoiser.h"
#include "diffusion/latent_space.h"
#include "diffusion/schedule.h"
#include "nn/trainable.h"

namespace calotype {

struct ObjectiveConfig {
  double label_dropout = 0.1;  // share of samples that are shown no label
  std::string weighting = "uniform";  // uniform, min_snr
  double min_snr_gamma = 5;  // where min_snr cuts the signal-to-noise ratio

  /// Throws ConfigError naming the key.
  void validate() const;
};

template <class Visitor>
void visit_fields(ObjectiveConfig& c, Visitor&& visit) {
  visit("label_dropout", c.label_dropout);
  visit("weighting", c.weighting);
  visit("min_snr_gamma", c.min_snr_gamma);
}

/// A batch made ready for the network.
struct NoisyBatch {
  at::Tensor sample;  // [N,D,h,w] x_t
  at::Tensor t;       // [N] int64 in [0,T), on the CPU
  at::Tensor labels;  // [N] int64 with the null class, or undefined
  at::Tensor target;  // [N,D,h,w] what the network should answer
};

/// The training loss of DDPM (arXiv:2006.11239, algorithm 1 and equation 14),
/// with labels hidden for classifier-free guidance (arXiv:2207.12598, algorithm
/// 1).
class Objective {
 public:
  Objective(const ObjectiveConfig& config, const ScheduleConfig& schedule,
            const LatentSpace& space);

  /// Draws latents from their posteriors, normalises them, and draws timestep,
  /// noise and hidden labels. Row k depends on (seed, step, samples[k]) and its
  /// own data alone. Throws ConfigError for labels outside [-1, num_classes).
  NoisyBatch draw(const Batch& batch, int64_t num_classes) const;

  /// Weighted mean squared error; the part "mse" is without weights.
  Losses losses(Denoiser& denoiser, const Batch& batch) const;

  /// Weight of each timestep's error: float [N]. Min-SNR-gamma
  /// (arXiv:2303.09556, section 3.4) is min(SNR, gamma) on the error of x_0,
  /// expressed for what the network predicts.
  at::Tensor weights(const at::Tensor& t) const;

 private:
  at::Tensor draw_latents(const Batch& batch) const;
  at::Tensor draw_labels(const Batch& batch, int64_t num_classes) const;

  ObjectiveConfig config_;
  std::string prediction_type_;
  NoiseSchedule schedule_;
  LatentSpace space_;
};

}  // namespace calotype
