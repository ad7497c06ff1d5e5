#include <fmt/format.h>
#include <webp/decode.h>

#include <cstring>

#include "core/error.h"
#include "datasets/codecs.h"
#include "datasets/exif.h"

namespace calotype {
namespace {

uint64_t little_endian_32(Bytes bytes, size_t at) {
  return bytes[at] | uint64_t(bytes[at + 1]) << 8 |
         uint64_t(bytes[at + 2]) << 16 | uint64_t(bytes[at + 3]) << 24;
}

/// The EXIF chunk of a RIFF file that is known to be whole.
Bytes find_exif(Bytes riff) {
  for (size_t at = 12; at + 8 <= riff.size();) {
    const auto size = little_endian_32(riff, at + 4);
    if (size > riff.size() - at - 8) break;
    auto body = riff.subspan(at + 8, size);
    if (std::memcmp(riff.data() + at, "EXIF", 4) == 0) {
      // Some writers put JPEG's prefix there as well.
      if (size >= 6 && std::memcmp(body.data(), "Exif\0\0", 6) == 0)
        body = body.subspan(6);
      return body;
    }
    at += 8 + size + size % 2;
  }
  return {};
}

}  // namespace

Image decode_webp(Bytes bytes, const std::string& where,
                  const ImageLimits& limits) {
  const auto riff_size = little_endian_32(bytes, 4) + 8;
  if (riff_size > bytes.size())
    fail_truncated(where, "WebP",
                   fmt::format("{} of {} bytes", bytes.size(), riff_size));
  bytes = bytes.first(riff_size);

  WebPBitstreamFeatures features;
  const auto status = WebPGetFeatures(bytes.data(), bytes.size(), &features);
  if (status == VP8_STATUS_NOT_ENOUGH_DATA)
    fail_truncated(where, "WebP", "the header breaks off");
  if (status != VP8_STATUS_OK) fail_damaged(where, "WebP", "bad header");
  if (features.has_animation)
    throw DataError(where +
                    ": animated WebP is not supported; expected one picture");
  check_image_size(where, "WebP", features.width, features.height, limits);

  const int num_samples = features.has_alpha ? 4 : 3;
  const int stride = features.width * num_samples;
  std::vector<uint8_t> samples(size_t(stride) * size_t(features.height));
  const auto decode =
      features.has_alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
  if (!decode(bytes.data(), bytes.size(), samples.data(), samples.size(),
              stride))
    fail_damaged(where, "WebP", "the picture cannot be decoded");
  auto image = lay_on_white(samples.data(), features.height, features.width,
                            num_samples);
  return apply_orientation(std::move(image),
                           exif_orientation(find_exif(bytes)));
}

}  // namespace calotype
