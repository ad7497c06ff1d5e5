#pragma once

#include <cstdint>
#include <vector>

namespace calotype {

/// A decoded image as a viewer sees it: 8 bits a channel, sRGB, rows from top
/// to bottom, channels interleaved, 1 (grey) or 3 (RGB) channels, never alpha.
struct Image {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  std::vector<uint8_t> pixels;  // height * width * channels
};

}  // namespace calotype
