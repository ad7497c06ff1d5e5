#pragma once

#include <cstdint>

namespace calotype {

/// What a set of images costs to keep.
struct Rate {
  double rate_bpp = 0;  // stored bits per pixel; a pixel has all its channels
  double compression_ratio = 0;  // bytes of the raw pixels / stored bytes
};

/// `stored_bytes`: of everything that decoding needs beside the codec; tokens
/// may take fractions of a byte. `num_pixels`: the sum of H * W over the
/// images, `raw_bytes` of C * H * W. Throws ConfigError unless all three are at
/// least 1.
Rate measure_rate(double stored_bytes, int64_t num_pixels, int64_t raw_bytes);

}  // namespace calotype
