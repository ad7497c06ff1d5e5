#pragma once

#include <filesystem>
#include <string>

#include "core/config.h"
#include "core/files.h"
#include "tests/support/fixtures.h"

// Pipelines as diffusers writes them, of the models in tests/fixtures.
namespace calotype {

inline void copy_part(const std::filesystem::path& pipeline,
                      const std::string& part, const std::string& fixture) {
  std::filesystem::create_directories(pipeline / part);
  for (const char* name :
       {"config.json", "diffusion_pytorch_model.safetensors"})
    std::filesystem::copy_file(fixtures_folder() / fixture / name,
                               pipeline / part / name);
}

/// model_index.json and scheduler_config.json. `parts`: class of each.
inline void write_index(const std::filesystem::path& pipeline,
                        const std::string& name, const Json& parts,
                        const Json& scheduler, const Json& others = {}) {
  Json index{{"_class_name", name}, {"_diffusers_version", "0.40.0.dev0"}};
  for (const auto& [part, class_name] : parts.items())
    index[part] = {"diffusers", class_name};
  index["scheduler"] = {"diffusers", scheduler["_class_name"]};
  if (!others.is_null()) index.update(others);
  std::filesystem::create_directories(pipeline / "scheduler");
  write_file_atomic(pipeline / "model_index.json",
                    std::string_view(index.dump(2)));
  write_file_atomic(pipeline / "scheduler" / "scheduler_config.json",
                    std::string_view(scheduler.dump(2)));
}

/// Of a DiT of ten classes, with names as ImageNet has them.
inline void write_dit_pipeline(const std::filesystem::path& pipeline,
                               const Json& others = {}) {
  copy_part(pipeline, "transformer", "dit");
  copy_part(pipeline, "vae", "autoencoder_kl");
  Json all{{"id2label",
            {{"0", "tench, Tinca tinca"},
             {"1", "goldfish"},
             {"2", "crane"},
             {"3", "hen"},
             {"5", "crane"}}}};
  if (!others.is_null()) all.update(others);
  write_index(
      pipeline, "DiTPipeline",
      {{"transformer", "DiTTransformer2DModel"}, {"vae", "AutoencoderKL"}},
      {{"_class_name", "DPMSolverMultistepScheduler"}}, all);
}

/// Of a U-Net without classes. `scheduler`: its file.
inline void write_ldm_pipeline(const std::filesystem::path& pipeline,
                               const Json& scheduler = {
                                   {"_class_name", "DDIMScheduler"},
                                   {"clip_sample", false}}) {
  copy_part(pipeline, "unet", "unet2d");
  copy_part(pipeline, "vqvae", "autoencoder_kl");
  write_index(pipeline, "LDMPipeline",
              {{"unet", "UNet2DModel"}, {"vqvae", "AutoencoderKL"}}, scheduler);
}

}  // namespace calotype
