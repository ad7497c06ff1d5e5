#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "images/codecs.h"

// ICC profiles (ICC.1:2022): the only user of Little CMS.
namespace calotype {

/// Samples of a picture as its file holds them, grey or RGB, with alpha behind
/// each pixel or without.
struct Samples {
  void* data = nullptr;
  int64_t num_pixels = 0;
  int64_t per_pixel = 0;  // 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA
  int bytes_each = 1;     // 1, or 2 in the machine's order
};

Samples samples_of(Image& image);

/// Converts `samples` to sRGB in place, if `limits` ask for it and `icc` is the
/// profile of other colours; notes its name if they do not, and a profile that
/// cannot be used. `icc`: the file's profile, empty if it has none.
void apply_profile(Bytes icc, const Samples& samples, const ImageLimits& limits,
                   ImageNotes& notes);

/// The same for CMYK as JPEG files store it, inverted: RGB by its profile, or
/// nothing where the pixels are not to be converted, or cannot be.
std::optional<Image> cmyk_by_profile(Bytes icc, const Image& cmyk,
                                     const ImageLimits& limits,
                                     ImageNotes& notes);

}  // namespace calotype
