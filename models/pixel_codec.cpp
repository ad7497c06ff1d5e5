#include "models/pixel_codec.h"

namespace calotype {

std::optional<PixelCodec> PixelCodec::named(const std::string& name) {
  if (name == "pixels:1") return PixelCodec(1);
  if (name == "pixels:3") return PixelCodec(3);
  return {};
}

}  // namespace calotype
