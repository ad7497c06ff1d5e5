#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <optional>

#include "core/config.h"
#include "core/work_parts.h"

namespace calotype {

struct DecodeJob {
  std::filesystem::path codec;  // model folder of the codec that made the store
  std::filesystem::path store;
  std::filesystem::path out;  // folder of PNG files
  int64_t limit = 0;          // only the first so many; 0: all
  int64_t batch_size = 64;
  bool any_codec = false;    // decode although the weights' hashes differ
  bool flipped = false;      // the mirror images, of a store that has them
  bool dry_run = false;      // say what would be done
  bool fresh = false;        // remove what an earlier call wrote to `out`
  std::optional<Part> part;  // of the images, that this process decodes
  bool finishes = false;     // completes a folder whose parts are all there
  c10::Device device{c10::kCPU};
};

/// Decodes a latent store to PNG files named as their sources, of their
/// sources' sizes. A call that was broken off goes on, and several processes
/// share one call by its parts (see work_in_parts).
Json decode(const DecodeJob& job);

}  // namespace calotype
