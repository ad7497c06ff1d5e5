#pragma once

#include <cstdint>

#include "images/image.h"

namespace calotype {

enum class Kernel { kTriangle, kCubic, kAliasedTriangle };

/// Resizes by separable convolution. When shrinking, the kernel is widened by
/// the ratio, so that every pixel counts and nothing aliases; the aliased
/// triangle alone stays as narrow as when enlarging and skips pixels, as
/// OpenCV's INTER_LINEAR does. The kernels are the triangle (bilinear) and
/// Keys' cubic with a = -0.5 ("Cubic Convolution Interpolation for Digital
/// Image Processing", 1981); results are rounded to bytes once, at the end.
Image resample(const Image& image, int64_t height, int64_t width,
               Kernel kernel);

}  // namespace calotype
