#pragma once

#include <optional>

#include "core/config.h"
#include "diffusion/latent_diffusion.h"
#include "tools/generate.h"

// What a pipeline of diffusers has settled where a run of ours leaves it open.
namespace calotype {

/// Sampler and guidance that the job leaves open, if its model is a pipeline.
void resolve_pipeline(GenerateJob& job, const LatentDiffusion& model);

/// How the job's noise is drawn, where that is as diffusers does. Throws
/// ConfigError for settings that such noise does not go with; what the pipeline
/// does otherwise is told, and changed in the job.
std::optional<PipelineNoise> pipeline_noise(GenerateJob& job);

/// What the recipe of an image says of both.
void add_pipeline(Json& recipe, const GenerateJob& job,
                  const LatentDiffusion& model);

}  // namespace calotype
