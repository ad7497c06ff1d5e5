#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <string>

#include "core/config.h"
#include "images/transforms.h"

namespace calotype {

struct EmbedJob {
  std::filesystem::path codec;
  std::string data;
  std::filesystem::path out;  // NAME.csv, or else the folder of a store
  int64_t limit = 0;          // only the first so many images; 0: all
  Preprocessing preprocessing;
  int64_t batch_size = 64;
  int num_workers = 2;
  bool strict = false;
  bool dry_run = false;  // say what would be done
  c10::Device device{c10::kCPU};
};

/// Codes as a table: a row per image of index, name, class, and the code's
/// numbers (the posterior mean), those of a grid in the order [D,h,w]. Whole,
/// or not there. To anything but NAME.csv, as `encode` does with fp32.
Json embed(const EmbedJob& job);

}  // namespace calotype
