#pragma once

#include <cstdint>
#include <string>

namespace calotype {

/// `value` in so many bytes, the lowest first.
inline std::string little_endian(uint64_t value, int num_bytes) {
  std::string bytes;
  for (int i = 0; i < num_bytes; ++i) bytes += char(value >> (8 * i));
  return bytes;
}

}  // namespace calotype
