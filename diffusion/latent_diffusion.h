#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "diffusion/denoiser.h"
#include "diffusion/guidance.h"
#include "diffusion/initial_latents.h"
#include "diffusion/latent_space.h"
#include "diffusion/objective.h"
#include "diffusion/pipeline_noise.h"
#include "diffusion/samplers.h"
#include "diffusion/scheduler_config.h"
#include "nn/trainable.h"

namespace calotype {

/// What a training run draws now and then to show how far it is.
struct PreviewConfig {
  int64_t count = 16;      // latents, their classes in turn
  int64_t num_steps = 20;  // of the usual sampler
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
  int64_t num_steps = 50;
  Guidance guidance;
  std::string sampler;  // of sampler_names(); empty: what the class of
                        // scheduler_config.json walks with
  SamplerOptions sampler_options;
  InitialLatents initial;

  /// Float [N] in [0,1], undefined for 0: how far the initial noise is on the
  /// way to that of `other_seed`, along the sphere.
  at::Tensor blend;
  uint64_t other_seed = 0;

  /// Draws as a pipeline of diffusers with that seed does; rows then depend on
  /// the whole call. Goes with no blend.
  std::optional<PipelineNoise> pipeline_noise;

  std::function<void(int64_t done, int64_t of)> on_step;  // may throw

  /// Is told what the latents look like [N,D,h,w] after each `preview_every`th
  /// question to the network; 0: never.
  std::function<void(int64_t done, int64_t of, const at::Tensor& latents)>
      on_preview;
  int64_t preview_every = 0;
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
  /// batch, but for pipeline_noise. Throws ConfigError for settings or classes
  /// that the model does not have, DataError if the network answers something
  /// that is not a number. A part that stays is given back as it was.
  at::Tensor generate(const GenerateRequest& request);

  /// Throws ConfigError as generate() would for the settings of `request`,
  /// before there is anything to draw.
  void expect_drawable(const GenerateRequest& request) const;

  const LatentSpace& space() const { return space_; }
  const SchedulerConfig& scheduler() const { return config_.scheduler; }
  const std::shared_ptr<Denoiser>& denoiser() const { return denoiser_; }

  /// The sampler that a request which names none gets.
  std::string sampler_of(const GenerateRequest& request) const;

 private:
  at::Tensor labels_of(const GenerateRequest& request) const;
  std::unique_ptr<Sampler> sampler_for(const GenerateRequest& request) const;
  at::Tensor initial_noise(const GenerateRequest& request,
                           c10::Device device) const;
  std::optional<PipelineDraws> pipeline_draws(
      const GenerateRequest& request) const;

  std::shared_ptr<Denoiser> denoiser_;
  LatentDiffusionConfig config_;
  LatentSpace space_;
  Objective objective_;
};

}  // namespace calotype
