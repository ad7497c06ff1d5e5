#include "tools/pipeline_settings.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/hash.h"
#include "core/note.h"
#include "denoisers/dit_transformer2d_model.h"
#include "diffusion/scheduler_config.h"
#include "models/pipeline_folder.h"
#include "models/registry.h"

namespace calotype {
namespace {

constexpr const char* kDiffusers = "diffusers";

/// Whether diffusers draws from the model by a DiTPipeline.
bool is_dit(const std::filesystem::path& path) {
  const auto* known =
      find_model_class(open_model_folder(denoiser_folder(path)).class_name);
  return known && known->name == DiTTransformer2DModelImpl::kClassName;
}

}  // namespace

void resolve_pipeline(GenerateJob& job, const LatentDiffusion& model) {
  if (!is_pipeline_folder(job.model)) return;
  if (job.sampler == "auto") job.sampler = sampler_of(model.scheduler());
  constexpr double kUsualGuidance = 4;  // of DiTPipeline
  const bool guides = model.denoiser()->num_classes() > 0 &&
                      job.classes != "none" && is_dit(job.model);
  if (!job.guidance && job.guide.empty())
    job.guidance = guides ? kUsualGuidance : 1;
}

std::optional<PipelineNoise> pipeline_noise(GenerateJob& job) {
  if (job.noise != kDiffusers) return {};
  if (job.first != 0)
    throw ConfigError(fmt::format(
        "generate: --noise diffusers is of all --count images at once, so that "
        "--first must be 0, got {}",
        job.first));
  if (job.to_seed)
    throw ConfigError(
        "generate: --to-seed goes with noise of each sample for itself, not "
        "with --noise diffusers");
  const PipelineNoise noise{.num_images = job.count,
                            .is_dit = is_dit(job.model)};
  if (noise.is_dit && job.guide.empty() && *job.guidance < 1) {
    note(fmt::format("a DiTPipeline guides above 1 alone: --guidance {:g} is 1",
                     *job.guidance));
    job.guidance = 1;
  }
  return noise;
}

void add_pipeline(Json& recipe, const GenerateJob& job,
                  const LatentDiffusion& model) {
  if (job.noise == kDiffusers) {
    recipe["noise"] = job.noise;
    recipe["count"] = job.count;
  }
  // Pipelines of one network may have other schedules, which in a run of ours
  // belong to its weights.
  if (is_pipeline_folder(job.model))
    recipe["schedule"] = hex64(xxh64(write_config(model.scheduler()).dump()));
}

}  // namespace calotype
