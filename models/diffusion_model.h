#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <memory>

#include "diffusion/latent_diffusion.h"

namespace calotype {

/// A trained latent diffusion model with its latent space and its schedule,
/// from the folder that holds all three, or from a pipeline of diffusers
/// (models/pipeline_folder.h), whose latents are scaled by its codec's
/// scaling_factor alone. Throws ConfigError for another class or a part that is
/// not there, DataError for weights that do not fit.
std::shared_ptr<LatentDiffusion> load_latent_diffusion(
    const std::filesystem::path& path, c10::Device device);

}  // namespace calotype
