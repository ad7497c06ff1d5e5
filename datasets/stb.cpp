#include "datasets/stb.h"

#include <climits>
#include <memory>

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

Image decode_with_stb(Bytes png, bool has_16_bits, const std::string& where) {
  if (png.size() > INT_MAX) fail_damaged(where, "PNG", "above 2 GiB");
  const int size = int(png.size());
  int width = 0, height = 0, num_samples = 0;
  const auto decode = [&](auto load) {
    auto* loaded = load(png.data(), size, &width, &height, &num_samples, 0);
    if (!loaded) fail_damaged(where, "PNG", stbi_failure_reason());
    const std::unique_ptr<std::remove_pointer_t<decltype(loaded)>,
                          void (*)(void*)>
        samples(loaded, &stbi_image_free);
    return lay_on_white(samples.get(), height, width, num_samples);
  };
  return has_16_bits ? decode(&stbi_load_16_from_memory)
                     : decode(&stbi_load_from_memory);
}

}  // namespace calotype
