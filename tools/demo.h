#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <string>

#include "core/config.h"

namespace calotype {

struct DemoJob {
  std::filesystem::path out;     // empty: demo, or demo_emoji
  std::string preset = "short";  // short, long, tiny (drawn images; for
                                 // tests); token_demo's
  c10::Device device{c10::kCPU};
};

/// The whole path on Fashion-MNIST: trains a VAE, encodes all images, trains a
/// class-conditional latent diffusion model and a classifier that judges it,
/// draws and decodes clothes, measures, and leaves report/index.html, and two
/// autoencoders of two numbers to be explored. What was
/// done by an earlier call in the same folder is not done again. With a preset
/// of token_demo's, that.
Json demo(const DemoJob& job);

}  // namespace calotype
