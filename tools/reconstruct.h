#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <string>

#include "core/config.h"
#include "images/transforms.h"

namespace calotype {

struct ReconstructJob {
  std::filesystem::path codec;
  std::string data;
  std::filesystem::path
      out;  // folder of PNG files, original beside reconstruction
  Preprocessing preprocessing;
  int64_t limit = 64;  // only the first so many; 0: all
  int64_t batch_size = 64;
  int num_workers = 2;
  bool strict = false;
  bool dry_run = false;  // say what would be done
  bool fresh = false;    // remove what an earlier call wrote to `out`
  c10::Device device{c10::kCPU};
};

/// Encodes and decodes (the mean, no noise) and writes each image beside its
/// reconstruction, and an overview of the first 60 beside the folder.
Json reconstruct(const ReconstructJob& job);

}  // namespace calotype
