#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "images/image.h"

// Ordinary lossy image formats, written and read in memory, to measure codecs
// against.
namespace calotype {

/// "jpeg" and "webp", then "jxl" (JPEG XL) and "avif" where built with their
/// libraries.
std::vector<std::string> lossy_formats();

/// Library, version and settings in words that a protocol can name, e.g.
/// "libwebp 1.2.4, method 4, 4:2:0". Throws ConfigError for an unknown format.
///
/// All are what the format's own command writes if told nothing but a quality,
/// with one exception: JPEG's Huffman tables are fitted to the image. That
/// changes no pixel, and the standard's example tables would be more than half
/// of a small file.
std::string lossy_settings(const std::string& format);

/// The whole file of an image of 1 or 3 channels. `quality`: 1 (smallest) to
/// 100, on the format's own scale: the same number means something else in
/// each. WebP has no grey and stores three equal channels. Throws ConfigError
/// for an unknown format, a quality out of range, or an image that the format
/// cannot hold; ShapeError if the image is not whole.
std::vector<uint8_t> encode_lossy(const std::string& format, const Image& image,
                                  int quality);

/// What encode_lossy wrote, in `channels` (1 or 3): of a file in colour, 1
/// gives its luma (ITU-R BT.601). Throws ConfigError for an unknown format,
/// DataError for a damaged file.
Image decode_lossy(const std::string& format, std::span<const uint8_t> bytes,
                   int64_t channels);

}  // namespace calotype
