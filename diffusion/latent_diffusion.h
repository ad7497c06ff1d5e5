#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "diffusion/denoiser.h"
#include "diffusion/latent_space.h"
#include "diffusion/objective.h"
#include "diffusion/sampler.h"
#include "nn/trainable.h"

namespace calotype {

/// What a training run draws now and then to show how far it is.
struct PreviewConfig {
  int64_t count = 16;      // latents, their classes in turn
  int64_t num_steps = 20;  // of DDIM
  double guidance = 1;

  /// Throws ConfigError naming the key.
  void validate() const;
};

template <class Visitor>
void visit_fields(PreviewConfig& c, Visitor&& visit) {
  visit("count", c.count);
  visit("num_steps", c.num_steps);
  visit("guidance", c.guidance);
}

struct LatentDiffusionConfig {
  SchedulerConfig scheduler;
  ObjectiveConfig objective;
  PreviewConfig preview;
};

template <class Visitor>
void visit_fields(LatentDiffusionConfig& c, Visitor&& visit) {
  visit("scheduler", c.scheduler);
  visit("objective", c.objective);
  visit("preview", c.preview);
}

/// A batch of latents to draw.
struct GenerateRequest {
  at::Tensor samples;  // int64 [N], names each latent's random draws
  at::Tensor classes;  // int64 [N], -1 for none; undefined for none at all
  uint64_t seed = 0;
  int64_t num_steps =
      50;  // calls of the network, or pairs of calls with guidance
  double guidance =
      1;  // 1: as the class says; more: further away from the average
  std::string sampler;  // ddpm, ddim; empty: what scheduler_config.json names
  double eta = 0;       // DDIM's noise, in [0,1]
  std::function<void(int64_t steps_done)> on_step;  // may throw to break off
};

/// Diffusion on latents: how a denoiser is trained, and how latents are drawn
/// from it (arXiv:2112.10752, section 3).
class LatentDiffusion : public Trainable {
 public:
  /// Throws ConfigError if config or space do not hold together, or if `space`
  /// names more classes than the denoiser knows.
  LatentDiffusion(std::shared_ptr<Denoiser> denoiser,
                  const LatentDiffusionConfig& config,
                  const LatentSpace& space);

  /// `batch.data`: latents [N,D,h,w], not normalised.
  Losses losses(const Batch& batch) override;
  torch::nn::Module& module() override { return denoiser_->module(); }

  /// Latents [count,D,h,w] of PreviewConfig; the same noise every time.
  at::Tensor preview(const Batch& batch) override;

  /// Latents [N,D,h,w] as the codec takes them, on the CPU. Row k depends on
  /// (seed, samples[k], classes[k]) and the settings, not on the rest of the
  /// batch. Throws ConfigError for settings or classes that the model does not
  /// have, DataError if the network answers something that is not a number.
  at::Tensor generate(const GenerateRequest& request);

  const LatentSpace& space() const { return space_; }
  const SchedulerConfig& scheduler() const { return config_.scheduler; }

 private:
  at::Tensor labels_of(const GenerateRequest& request) const;

  std::shared_ptr<Denoiser> denoiser_;
  LatentDiffusionConfig config_;
  LatentSpace space_;
  Objective objective_;
};

}  // namespace calotype
