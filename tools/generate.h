#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/config.h"
#include "core/work_parts.h"
#include "diffusion/latent_diffusion.h"
#include "images/transforms.h"

namespace calotype {

struct GenerateJob {
  std::filesystem::path model;  // run folder of a latent diffusion model, or
                                // a pipeline of diffusers
  std::filesystem::path out;  // folder of PNG files, or a store with `latents`
  bool latents = false;       // write the latents themselves
  std::filesystem::path codec;  // empty: the one that the model remembers
  bool any_codec = false;
  int64_t count = 16;
  int64_t first = 0;             // number of the first sample
  std::string classes = "all";   // see choose_classes()
  int64_t steps = 0;             // of the walk; 0: 50, with tokens 12
  std::string sampler = "auto";  // of sampler_names(); auto: usual_sampler(),
                                 // of a pipeline its scheduler's
  double eta = 0;                // of ddim, in [0,1]
  std::optional<double> churn;   // of edm; none: as the model's file says
  std::string spacing;  // SamplerOptions::spacing; empty: usual_spacing()
  std::optional<double> guidance;  // 1: none; default: 2, of a DiTPipeline 4,
                                   // without classes 1
  std::string guidance_interval = "0:inf";  // LOW:HIGH of noise over signal
  double guidance_rescale = 0;              // in [0,1]
  std::filesystem::path guide;  // a weaker model that guides; empty: no label
  std::filesystem::path init_image;  // start from this image; empty: from noise
  std::filesystem::path mask;        // white is drawn anew; empty: all of it
  Preprocessing reading;             // max_pixels and icc of these two files
  double strength = 0;  // share of the steps from an image; 0: 0.6, or 1 with a
                        // mask
  std::optional<uint64_t> to_seed;  // walk from `seed`'s noise to this one's
  int64_t preview_every = 0;        // calls of the network; 0: no previews
  std::string noise = "calotype";   // diffusers: as its pipelines draw it
  uint64_t seed = 0;
  int64_t batch_size = 64;
  bool dry_run = false;      // say what would be done
  bool fresh = false;        // remove what an earlier call wrote to `out`
  std::optional<Part> part;  // of the images, that this process draws
  bool finishes = false;     // completes a folder whose parts are all there
  c10::Device device{c10::kCPU};
};

/// With a latent diffusion model, a generator of tokens, or from the standard
/// normal prior of a CalotypeAutoencoder (which refuse settings of diffusion):
/// draws latents and decodes them to PNG files, a folder per class, that carry
/// their recipe, with an overview of the first 100 beside the folder; or stores
/// them. Sample k depends on (model, seed, k, class, settings) alone, but for
/// what another batch rounds otherwise, and with the noise of diffusers on the
/// count too. A call that was broken off goes on, and several processes share
/// one call by its parts (see work_in_parts); see ImageFolderWriter for what a
/// folder may hold.
Json generate(const GenerateJob& job);

}  // namespace calotype
