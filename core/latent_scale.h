#pragma once

#include <ATen/core/Tensor.h>

#include "core/config.h"
#include "core/latent_grid.h"

namespace calotype {

/// How the latents of a codec become those that a diffusion model sees where
/// one number scales them, as in diffusers: (z - shift) * scale.
struct LatentScale {
  double scale = 1;
  double shift = 0;

  bool operator==(const LatentScale&) const = default;
};

/// scaling_factor and shift_factor of a codec's config.json; 1 and 0 where it
/// says nothing.
LatentScale latent_scale(const Json& config);

/// Latents of a codec `from` as a codec `to` has them: to a diffusion model
/// both are the same.
at::Tensor rescaled(const at::Tensor& latents, const LatentScale& from,
                    const LatentScale& to);
LatentGrid rescaled(const LatentGrid& grid, const LatentScale& from,
                    const LatentScale& to);

}  // namespace calotype
