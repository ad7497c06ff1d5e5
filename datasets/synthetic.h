#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "datasets/image_source.h"

namespace calotype {

struct SyntheticConfig {
  int64_t count = 64;
  int64_t size = 32;     // edge in pixels, 4 to 4096
  int64_t channels = 3;  // 1 or 3
  uint64_t seed = 0;
};

/// Drawn images for tests and first tries: one plain shape, turned and coloured
/// at random, on a soft background. Image `index` is a function of (seed,
/// index) alone and shows the shape of class `index` modulo the number of
/// classes. Throws ConfigError for a value out of range.
std::unique_ptr<ImageSource> make_synthetic(const SyntheticConfig& config,
                                            const std::string& spec);

}  // namespace calotype
