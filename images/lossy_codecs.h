#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "images/codecs.h"
#include "images/image.h"

// The encoders behind lossy_format.h. Only their sources, tests and benchmarks
// see this header.
namespace calotype {

// Images are whole, qualities in [1,100]; what a library refuses is a
// ConfigError.
std::vector<uint8_t> encode_jpeg(const Image& image, int quality);
/// With the standard's example Huffman tables, which all such files share.
std::vector<uint8_t> encode_plain_jpeg(const Image& image, int quality);
std::vector<uint8_t> encode_webp(const Image& rgb, int quality);
std::vector<uint8_t> encode_jxl(const Image& image, int quality);
std::vector<uint8_t> encode_avif(const Image& image, int quality);

std::string jpeg_settings();
std::string webp_settings();
std::string jxl_settings();
std::string avif_settings();

/// Throws ConfigError "FORMAT: cannot encode 5x4 pixels (reason)".
[[noreturn]] void fail_to_encode(const char* format, const Image& image,
                                 const std::string& reason);

}  // namespace calotype
