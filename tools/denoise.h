#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <string>

#include "core/config.h"
#include "images/transforms.h"
#include "vae/corruption.h"

namespace calotype {

struct DenoiseJob {
  std::filesystem::path codec;
  std::string data;
  std::filesystem::path out;    // folder of PNG files
  CorruptionConfig corruption;  // put onto the images first, to measure
  int64_t limit = 64;           // only the first so many images; 0: all
  uint64_t seed = 0;            // of the corruption
  Preprocessing preprocessing;
  int64_t batch_size = 64;
  int num_workers = 2;
  bool strict = false;
  bool fresh = false;  // remove what an earlier call wrote to `out`
  c10::Device device{c10::kCPU};
};

/// Encodes and decodes, and writes what comes out. With a corruption, the
/// images are taken as clean ones: they are corrupted first, the overview shows
/// corrupted, denoised and clean, and the errors before and after are told.
Json denoise(const DenoiseJob& job);

}  // namespace calotype
