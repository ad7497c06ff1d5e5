#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "images/codecs.h"

namespace calotype {

/// What stb_image makes of a file: `num_samples` values a pixel (1 grey, 2 grey
/// and alpha, 3 RGB, 4 RGBA) of 8 bits, or of 16 in the machine's order.
struct StbSamples {
  std::unique_ptr<void, void (*)(void*)> data;
  int64_t height = 0, width = 0, num_samples = 0;
};

/// Decodes a PNG with stb_image, 16 bits a channel or 8. stb_image checks
/// neither checksums nor the end of the data: that is for the caller. Throws
/// DataError.
StbSamples decode_with_stb(Bytes png, bool has_16_bits,
                           const std::string& where);

}  // namespace calotype
