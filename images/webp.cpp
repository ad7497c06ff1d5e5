#include <fmt/format.h>
#include <webp/decode.h>
#include <webp/demux.h>

#include <cstring>
#include <memory>

#include "images/codecs.h"
#include "images/color_profile.h"
#include "images/exif.h"

namespace calotype {
namespace {

uint64_t little_endian_32(Bytes bytes, size_t at) {
  return bytes[at] | uint64_t(bytes[at + 1]) << 8 |
         uint64_t(bytes[at + 2]) << 16 | uint64_t(bytes[at + 3]) << 24;
}

/// The chunk of that name in a RIFF file that is known to be whole; empty if
/// there is none.
Bytes find_chunk(Bytes riff, const char* name) {
  for (size_t at = 12; at + 8 <= riff.size();) {
    const auto size = little_endian_32(riff, at + 4);
    if (size > riff.size() - at - 8) break;
    if (std::memcmp(riff.data() + at, name, 4) == 0)
      return riff.subspan(at + 8, size);
    at += 8 + size + size % 2;
  }
  return {};
}

// Pixels of a file, RGB or RGBA; none if it cannot be decoded.

Image only_frame(Bytes bytes, const WebPBitstreamFeatures& features) {
  const int num_samples = features.has_alpha ? 4 : 3;
  const int stride = features.width * num_samples;
  Image image{features.height, features.width, num_samples, {}};
  image.pixels.resize(size_t(stride) * size_t(features.height));
  const auto decode =
      features.has_alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
  if (!decode(bytes.data(), bytes.size(), image.pixels.data(),
              image.pixels.size(), stride))
    image.pixels.clear();
  return image;
}

Image first_frame(Bytes bytes, const WebPBitstreamFeatures& features) {
  const WebPData data{bytes.data(), bytes.size()};
  const std::unique_ptr<WebPAnimDecoder, void (*)(WebPAnimDecoder*)> decoder(
      WebPAnimDecoderNew(&data, nullptr), &WebPAnimDecoderDelete);
  uint8_t* canvas = nullptr;  // the decoder's
  int time_ms = 0;
  Image image{features.height, features.width, 4, {}};
  if (decoder && WebPAnimDecoderGetNext(decoder.get(), &canvas, &time_ms))
    image.pixels.assign(canvas, canvas + image.height * image.width * 4);
  return image;
}

}  // namespace

Picture decode_webp(Bytes bytes, const std::string& where,
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
  check_image_size(where, "WebP", features.width, features.height, limits);

  auto image = features.has_animation ? first_frame(bytes, features)
                                      : only_frame(bytes, features);
  if (image.pixels.empty())
    fail_damaged(where, "WebP", "the picture cannot be decoded");
  Picture picture;
  if (features.has_animation)
    picture.notes.remarks.push_back("animated; its first picture is taken");
  apply_profile(find_chunk(bytes, "ICCP"), samples_of(image), limits,
                picture.notes);
  if (image.channels == 4)
    image = lay_on_white(image.pixels.data(), image.height, image.width, 4);
  picture.image = apply_orientation(
      std::move(image), exif_orientation(find_chunk(bytes, "EXIF")));
  return picture;
}

}  // namespace calotype
