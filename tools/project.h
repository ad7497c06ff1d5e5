#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <string>

#include "core/config.h"
#include "images/transforms.h"

namespace calotype {

struct ProjectJob {
  std::filesystem::path codec;
  std::string data;
  std::filesystem::path out;  // SVG
  int64_t limit = 5000;       // only the first so many images; 0: all
  Preprocessing preprocessing;
  int64_t batch_size = 64;
  int num_workers = 2;
  bool strict = false;
  c10::Device device{c10::kCPU};
};

/// Draws the codes of a set in the plane of their two principal components, a
/// dot per image in the colour of its class. Codes of two numbers are drawn as
/// they are.
Json project(const ProjectJob& job);

}  // namespace calotype
