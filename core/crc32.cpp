#include "core/crc32.h"

#include <zlib.h>

namespace calotype {

uint32_t crc32(std::span<const uint8_t> bytes) {
  return uint32_t(::crc32_z(0, bytes.data(), bytes.size()));
}

}  // namespace calotype
