#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "images/image.h"
#include "images/image_io.h"

// What the decoders share. Only the sources of image_io see this header.
namespace calotype {

using Bytes = std::span<const uint8_t>;

// One decoder per format; bytes are known to begin like one. All throw
// DataError.
Picture decode_png(Bytes bytes, const std::string& where,
                   const ImageLimits& limits);
Picture decode_jpeg(Bytes bytes, const std::string& where,
                    const ImageLimits& limits);
Image decode_bmp(Bytes bytes, const std::string& where,
                 const ImageLimits& limits);
Picture decode_webp(Bytes bytes, const std::string& where,
                    const ImageLimits& limits);
Image decode_pnm(Bytes bytes, const std::string& where,
                 const ImageLimits& limits);

// Of libraries that a build can do without.
Picture decode_jxl(Bytes bytes, const std::string& where,
                   const ImageLimits& limits);
Picture decode_avif(Bytes bytes, const std::string& where,
                    const ImageLimits& limits);
Picture decode_heif(Bytes bytes, const std::string& where,
                    const ImageLimits& limits);
Picture decode_tiff(Bytes bytes, const std::string& where,
                    const ImageLimits& limits);
Picture decode_gif(Bytes bytes, const std::string& where,
                   const ImageLimits& limits);

/// Throws DataError "WHERE: truncated FORMAT (what)".
[[noreturn]] void fail_truncated(const std::string& where, const char* format,
                                 const std::string& what);

/// Throws DataError "WHERE: damaged FORMAT (what)".
[[noreturn]] void fail_damaged(const std::string& where, const char* format,
                               const std::string& what);

/// Throws DataError unless both sides are at least 1 and their product within
/// `limits`. To be called with the header's numbers, before anything is
/// allocated.
void check_image_size(const std::string& where, const char* format,
                      int64_t width, int64_t height, const ImageLimits& limits);

/// Throws ShapeError, in the name of `where`, unless `image` has 1 or 3
/// channels and as many bytes as its size says.
void check_whole(const char* where, const Image& image);

/// round(value * 255 / max).
constexpr uint8_t scale_to_byte(uint64_t value, uint64_t max) {
  return uint8_t((value * 255 + max / 2) / max);
}

/// 8 or 16 bits a channel in 1 to 4 channels (grey, grey and alpha, RGB, RGBA)
/// to an Image: alpha laid on white, 16 bits rounded to 8, in one rounding.
template <class Sample>
Image lay_on_white(const Sample* samples, int64_t height, int64_t width,
                   int64_t num_samples) {
  constexpr uint64_t max = std::numeric_limits<Sample>::max();
  const bool has_alpha = num_samples == 2 || num_samples == 4;
  Image image{height, width, num_samples - (has_alpha ? 1 : 0), {}};
  const auto count = height * width * image.channels;
  if constexpr (sizeof(Sample) == 1)
    if (!has_alpha) {
      image.pixels.assign(samples, samples + count);
      return image;
    }
  image.pixels.resize(size_t(count));
  auto* out = image.pixels.data();
  if (!has_alpha) {
    for (int64_t i = 0; i < count; ++i) out[i] = scale_to_byte(samples[i], max);
    return image;
  }
  for (int64_t i = 0; i < height * width; ++i, samples += num_samples)
    for (int64_t c = 0; c < image.channels; ++c) {
      const uint64_t alpha = samples[image.channels];
      const uint64_t value = samples[c] * alpha + max * (max - alpha);
      *out++ = scale_to_byte(value, max * max);
    }
  return image;
}

}  // namespace calotype
