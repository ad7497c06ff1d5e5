#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/config.h"
#include "images/transforms.h"

namespace calotype {

struct ExploreJob {
  std::filesystem::path model;  // a codec, or a diffusion model of its latents
  std::filesystem::path codec;  // of a diffusion model; empty: where it was
  std::filesystem::path store;  // of its latents; empty: `data` is encoded
  std::string data;             // images; empty: those that the run learnt from
  std::filesystem::path beside;  // a codec to compare with; empty: none
  bool any_codec = false;        // whichever codec the store is of
  bool toy = false;              // points of the plane, and no model
  int port = 0;                  // 0: a free one
  bool open = true;              // in a browser, where there is a desktop
  std::filesystem::path page;    // write a page that needs no program; or empty
  int64_t limit = 0;             // images; 0: 100,000, and 2,000 in a page
  Preprocessing preprocessing;
  int64_t batch_size = 64;
  int num_workers = 2;
  bool strict = false;
  c10::Device device{c10::kCPU};
};

/// Serves the explorer's page on 127.0.0.1 until a signal ends it. The address
/// is a line of its own on stdout. With `page`: writes that and ends.
Json explore(const ExploreJob& job);

}  // namespace calotype
