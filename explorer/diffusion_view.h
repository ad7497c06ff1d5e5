#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "core/config.h"
#include "diffusion/latent_diffusion.h"
#include "models/codec.h"

namespace calotype {

/// What the page asks of a diffusion model, in JSON (docs/explorer.md). A
/// request names all that a picture depends on: "seed", "class" (a name, or
/// null for none), "steps", "sampler", "guidance", each with a default. Throws
/// ConfigError for what the model cannot draw.
class DiffusionView {
 public:
  /// `codec`: that of the model's latents.
  DiffusionView(std::shared_ptr<LatentDiffusion> model, LoadedCodec codec,
                c10::Device device);

  /// Told after each step; may throw to end a drawing that nobody waits for.
  using OnStep = std::function<void()>;

  /// Classes, samplers and defaults.
  Json facts() const;

  /// One picture: its code, what it decodes to, and the way there: what the
  /// network took the end for at each step, on one sheet. With "code" and
  /// "mask", a number for each cell, only cells that are not 0 are drawn anew.
  Json draw(const Json& request, const OnStep& on_step) const;

  /// "count" pictures between "seed" and "to_seed", on one sheet, with their
  /// codes: the noise goes along the sphere.
  Json walk(const Json& request, const OnStep& on_step) const;

 private:
  GenerateRequest parsed(const Json& request, int64_t count,
                         const OnStep& on_step) const;
  at::Tensor decoded(const at::Tensor& latents) const;

  std::shared_ptr<LatentDiffusion> model_;
  LoadedCodec codec_;
  c10::Device device_;
};

}  // namespace calotype
