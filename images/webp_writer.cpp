#include <fmt/format.h>
#include <webp/encode.h>

#include "images/lossy_codecs.h"

namespace calotype {

std::vector<uint8_t> encode_webp(const Image& rgb, int quality) {
  if (rgb.width > WEBP_MAX_DIMENSION || rgb.height > WEBP_MAX_DIMENSION)
    fail_to_encode("webp", rgb,
                   fmt::format("sides are at most {}", WEBP_MAX_DIMENSION));
  uint8_t* data = nullptr;
  const size_t size =
      WebPEncodeRGB(rgb.pixels.data(), int(rgb.width), int(rgb.height),
                    int(rgb.width * 3), float(quality), &data);
  std::vector<uint8_t> file(data, data + size);
  WebPFree(data);
  if (size == 0) fail_to_encode("webp", rgb, "libwebp gives no reason");
  return file;
}

std::string webp_settings() {
  const int version = WebPGetEncoderVersion();
  return fmt::format("libwebp {}.{}.{}, lossy, method 4, 4:2:0", version >> 16,
                     version >> 8 & 255, version & 255);
}

}  // namespace calotype
