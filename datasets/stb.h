#pragma once

#include <string>

#include "datasets/codecs.h"

namespace calotype {

/// Decodes a PNG with stb_image, 16 bits a channel or 8, and lays alpha on
/// white. stb_image checks neither checksums nor the end of the data: that is
/// for the caller. Throws DataError.
Image decode_with_stb(Bytes png, bool has_16_bits, const std::string& where);

}  // namespace calotype
