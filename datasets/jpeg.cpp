#include <turbojpeg.h>

#include <climits>
#include <cstring>
#include <memory>

#include "datasets/codecs.h"
#include "datasets/exif.h"

namespace calotype {
namespace {

struct Handle {
  Handle() : value(tjInitDecompress()) {
    if (!value) throw std::bad_alloc();
  }
  ~Handle() { tjDestroy(value); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  tjhandle value;
};

/// What the segments ahead of the picture say.
struct Segments {
  int orientation = 1;
  bool has_adobe = false;  // Adobe's programs store CMYK inverted
};

bool begins_with(Bytes bytes, const char* text, size_t size) {
  return bytes.size() >= size && std::memcmp(bytes.data(), text, size) == 0;
}

Segments read_segments(Bytes bytes) {
  Segments found;
  size_t at = 2;
  while (at + 4 <= bytes.size() && bytes[at] == 0xff) {
    const uint8_t marker = bytes[at + 1];
    if (marker == 0xff) {  // fill bytes may stand ahead of a marker
      ++at;
      continue;
    }
    if (marker == 0xda || marker == 0xd9) break;  // start of scan, end of image
    const size_t size = size_t(bytes[at + 2]) << 8 | bytes[at + 3];
    if (size < 2 || at + 2 + size > bytes.size()) break;
    const auto body = bytes.subspan(at + 4, size - 2);
    if (marker == 0xe1 && begins_with(body, "Exif\0\0", 6))
      found.orientation = exif_orientation(body.subspan(6));
    if (marker == 0xee && begins_with(body, "Adobe", 5)) found.has_adobe = true;
    at += 2 + size;
  }
  return found;
}

/// Ink to light: what is left of white after the colour and after the black.
Image cmyk_to_rgb(const Image& cmyk, bool inverted) {
  Image rgb{cmyk.height, cmyk.width, 3, {}};
  rgb.pixels.reserve(size_t(rgb.height * rgb.width * 3));
  for (size_t i = 0; i < cmyk.pixels.size(); i += 4)
    for (size_t c = 0; c < 3; ++c) {
      const uint8_t mask = inverted ? 0 : 255;
      const uint64_t color = cmyk.pixels[i + c] ^ mask;
      const uint64_t black = cmyk.pixels[i + 3] ^ mask;
      rgb.pixels.push_back(scale_to_byte(color * black, 255 * 255));
    }
  return rgb;
}

}  // namespace

Image decode_jpeg(Bytes bytes, const std::string& where,
                  const ImageLimits& limits) {
  const Handle handle;
  const auto fail = [&] {
    const std::string reason = tjGetErrorStr2(handle.value);
    if (reason.find("remature end") != std::string::npos)
      fail_truncated(where, "JPEG", reason);
    fail_damaged(where, "JPEG", reason);
  };
  int width = 0, height = 0, subsampling = 0, colors = 0;
  if (tjDecompressHeader3(handle.value, bytes.data(), bytes.size(), &width,
                          &height, &subsampling, &colors) != 0)
    fail();
  check_image_size(where, "JPEG", width, height, limits);

  const bool is_cmyk = colors == TJCS_CMYK || colors == TJCS_YCCK;
  const bool is_grey = colors == TJCS_GRAY;
  Image image{height, width, is_cmyk ? 4 : is_grey ? 1 : 3, {}};
  if (image.width * image.channels > INT_MAX)
    fail_damaged(where, "JPEG", "too wide");
  image.pixels.resize(size_t(image.height * image.width * image.channels));
  // The library fills the rest of a broken picture with grey and merely warns.
  // Progressive files of very many scans are a way to keep a decoder busy for
  // hours.
  constexpr int flags = TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS;
  const int layout = is_cmyk ? TJPF_CMYK : is_grey ? TJPF_GRAY : TJPF_RGB;
  if (tjDecompress2(handle.value, bytes.data(), bytes.size(),
                    image.pixels.data(), width, 0, height, layout, flags) != 0)
    fail();

  const auto segments = read_segments(bytes);
  if (is_cmyk) image = cmyk_to_rgb(image, segments.has_adobe);
  return apply_orientation(std::move(image), segments.orientation);
}

}  // namespace calotype
