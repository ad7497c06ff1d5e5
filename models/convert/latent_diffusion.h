#pragma once

#include "models/convert/converted.h"
#include "models/convert/source_tensors.h"

namespace calotype {

/// A LatentDiffusion of latent-diffusion as an LDMPipeline: the first stage,
/// the U-Net with its moving average (unless plain weights are asked for) and
/// the schedule. The latents' scale is the buffer scale_factor, else the
/// configuration's, else 1. A U-Net with cross-attention or of another kind has
/// no class here: it is left out, which a note says, and the first stage is the
/// one model. Throws ConfigError where nothing is left, DataError for what is
/// damaged.
Conversion convert_latent_diffusion(const ConvertContext& context,
                                    SourceTensors& source);

}  // namespace calotype
