#include "images/stb.h"

#include <climits>

#include "core/error.h"

// Static, so that it cannot meet the copy in Debian's libstb.
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS (1 << 24)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include <stb_image.h>
#pragma GCC diagnostic pop

namespace calotype {

StbSamples decode_with_stb(Bytes png, bool has_16_bits,
                           const std::string& where) {
  if (png.size() > INT_MAX)
    throw DataError(where + ": PNG with more than 2 GiB of pixels");
  const int size = int(png.size());
  int width = 0, height = 0, num_samples = 0;
  void* data = has_16_bits
                   ? static_cast<void*>(stbi_load_16_from_memory(
                         png.data(), size, &width, &height, &num_samples, 0))
                   : stbi_load_from_memory(png.data(), size, &width, &height,
                                           &num_samples, 0);
  if (!data) fail_damaged(where, "PNG", stbi_failure_reason());
  return {{data, &stbi_image_free}, height, width, num_samples};
}

}  // namespace calotype
