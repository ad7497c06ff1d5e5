#include "models/diffusion_model.h"

#include "diffusion/scheduler_config.h"
#include "models/registry.h"

namespace calotype {

std::shared_ptr<LatentDiffusion> load_latent_diffusion(
    const std::filesystem::path& path, c10::Device device) {
  const auto model = load_any_model(open_model_folder(path), "a denoiser",
                                    [](const ModelClass& known) {
                                      return known.kind == ModelKind::kDenoiser;
                                    });
  model.module->to(device);
  LatentDiffusionConfig config;
  config.scheduler = read_scheduler_config(path / "scheduler_config.json");
  return std::make_shared<LatentDiffusion>(
      model.denoiser, config, read_latent_space(path / "latent_space.json"));
}

}  // namespace calotype
