#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <memory>
#include <string>

#include "core/config.h"
#include "diffusion/latent_diffusion.h"

namespace calotype {

struct GenerateJob {
  std::filesystem::path model;  // run folder of a latent diffusion model
  std::filesystem::path out;  // folder of PNG files, or a store with `latents`
  bool latents = false;       // write the latents themselves
  std::filesystem::path codec;  // empty: the one that the model remembers
  bool any_codec = false;
  int64_t count = 16;
  int64_t first = 0;  // number of the first sample
  std::string classes =
      "all";          // all (in turn), none, or names or numbers with commas
  int64_t steps = 0;  // calls of the network; 0: 50, with tokens 12
  std::string sampler = "ddim";  // ddim, ddpm
  double eta = 0;                // of DDIM, in [0,1]
  double guidance = 2;           // 1: none
  uint64_t seed = 0;
  int64_t batch_size = 64;
  c10::Device device{c10::kCPU};
};

/// With a latent diffusion model, a generator of tokens, or from the standard
/// normal prior of a
/// CalotypeAutoencoder (which refuses settings of diffusion): draws latents and
/// decodes them to PNG files, a folder per class, that carry their recipe, with
/// an overview of the first 100 beside the folder; or stores them. Sample k
/// depends on (model, seed, k, class, settings) alone.
Json generate(const GenerateJob& job);

/// A trained latent diffusion model with its latent space and schedule.
std::shared_ptr<LatentDiffusion> load_latent_diffusion(
    const std::filesystem::path& path, c10::Device device);

}  // namespace calotype
