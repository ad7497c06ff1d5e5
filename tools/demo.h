#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <string>

#include "core/config.h"

namespace calotype {

struct DemoJob {
  std::filesystem::path out = "demo";
  std::string preset = "short";  // short, long, tiny (drawn images; for tests)
  c10::Device device{c10::kCPU};
};

/// The whole path on Fashion-MNIST: trains a VAE, encodes all images, trains a
/// class-conditional latent diffusion model and a classifier that judges it,
/// draws and decodes clothes, measures, and leaves report/index.html. What was
/// done by an earlier call in the same folder is not done again.
Json demo(const DemoJob& job);

}  // namespace calotype
