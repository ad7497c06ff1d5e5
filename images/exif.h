#pragma once

#include <cstdint>
#include <span>

#include "images/image.h"

namespace calotype {

/// The orientation (1 to 8) in an EXIF block, which is a TIFF header and its
/// directory (EXIF 2.32, section 4.6.4, tag 0x0112), with JPEG's "Exif" ahead
/// of it or without. The number may be of any integer type. 1 where there is
/// none or the block makes no sense.
int exif_orientation(std::span<const uint8_t> block);

/// What follows JPEG's "Exif" and two bytes, if `block` begins so; else
/// nothing.
std::span<const uint8_t> after_exif_mark(std::span<const uint8_t> block);

/// Turns and mirrors a stored image into the one that the camera saw.
Image apply_orientation(Image stored, int orientation);

}  // namespace calotype
