#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace calotype {

/// Bytes as text for data: URIs (RFC 4648, section 4).
inline std::string base64(std::span<const uint8_t> bytes) {
  constexpr char kLetters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = std::min<size_t>(3, bytes.size() - i);
    uint32_t word = uint32_t{bytes[i]} << 16;
    if (left > 1) word |= uint32_t{bytes[i + 1]} << 8;
    if (left > 2) word |= bytes[i + 2];
    for (size_t k = 0; k < 4; ++k)
      text += k <= left ? kLetters[word >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

}  // namespace calotype
