#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "images/codecs.h"

namespace calotype {

/// The rows of a run-length coded BMP (RLE8 and RLE4 of Windows' bitmaps) as
/// one without compression holds them: from below, each filled up to four
/// bytes. Pixels that are jumped over have color 0. `bits`: 8 or 4 a pixel.
/// Throws DataError if the data break off or run out of the picture.
std::vector<uint8_t> expand_bmp_runs(Bytes data, uint32_t bits, int64_t width,
                                     int64_t height, const std::string& where);

}  // namespace calotype
