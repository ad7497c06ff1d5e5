#pragma once

#include "core/config.h"
#include "diffusion/latent_space.h"
#include "nn/safetensors.h"

namespace calotype {

/// What `space` normalises by as one number that latents are multiplied with;
/// 0 if it is more than that.
double single_scale(const LatentSpace& space);

/// An AutoencoderKL of normalised latents: encodes to what `space` makes of the
/// latents of the codec of `config` and `weights`, and decodes that. `config`
/// is changed along.
TensorFile normalised_codec(TensorFile weights, Json& config,
                            const LatentSpace& space);

}  // namespace calotype
