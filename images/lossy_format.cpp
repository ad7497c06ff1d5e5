#include "images/lossy_format.h"

#include <fmt/format.h>

#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "images/codecs.h"
#include "images/lossy_codecs.h"
#include "images/transforms.h"

namespace calotype {
namespace {

struct Format {
  const char* name;
  bool has_grey;
  std::string (*settings)();
  std::vector<uint8_t> (*encode)(const Image& image, int quality);
  Image (*decode)(Bytes bytes, const std::string& where,
                  const ImageLimits& limits);
};

template <Picture (*decode)(Bytes, const std::string&, const ImageLimits&)>
Image image_of(Bytes bytes, const std::string& where,
               const ImageLimits& limits) {
  return decode(bytes, where, limits).image;
}

constexpr Format kFormats[] = {
    {"jpeg", true, jpeg_settings, encode_jpeg, image_of<decode_jpeg>},
    {"webp", false, webp_settings, encode_webp, image_of<decode_webp>},
#ifdef CALOTYPE_HAS_JXL
    {"jxl", true, jxl_settings, encode_jxl, image_of<decode_jxl>},
#endif
#ifdef CALOTYPE_HAS_AVIF
    {"avif", true, avif_settings, encode_avif, image_of<decode_avif>},
#endif
};

const Format& format_of(const std::string& name) {
  for (const auto& format : kFormats)
    if (name == format.name) return format;
  throw ConfigError(
      fmt::format("lossy format: must be one of {} in this build, got {}",
                  fmt::join(lossy_formats(), ", "), name));
}

Image in_channels(Image image, int64_t channels) {
  Preprocessing how;
  how.channels = channels;
  return preprocess(std::move(image), how);
}

}  // namespace

void fail_to_encode(const char* format, const Image& image,
                    const std::string& reason) {
  throw ConfigError(fmt::format("{}: cannot encode {}x{} pixels ({})", format,
                                image.width, image.height, reason));
}

std::vector<std::string> lossy_formats() {
  std::vector<std::string> names;
  for (const auto& format : kFormats) names.emplace_back(format.name);
  return names;
}

std::string lossy_settings(const std::string& format) {
  return format_of(format).settings();
}

std::vector<uint8_t> encode_lossy(const std::string& name, const Image& image,
                                  int quality) {
  const auto& format = format_of(name);
  check_range(name, "quality", quality, 1, 100);
  check_whole("encode_lossy", image);
  return format.has_grey ? format.encode(image, quality)
                         : format.encode(in_channels(image, 3), quality);
}

Image decode_lossy(const std::string& name, std::span<const uint8_t> bytes,
                   int64_t channels) {
  return in_channels(format_of(name).decode(bytes, name, {}), channels);
}

}  // namespace calotype
