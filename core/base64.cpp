#include "core/base64.h"

#include <algorithm>
#include <array>

#include "core/error.h"

namespace calotype {
namespace {

constexpr std::string_view kLetters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// What each letter stands for; -1 for those that are none.
constexpr auto kValues = [] {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  for (size_t i = 0; i < kLetters.size(); ++i)
    values[uint8_t(kLetters[i])] = int8_t(i);
  return values;
}();

}  // namespace

std::string base64(std::span<const uint8_t> bytes) {
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

std::vector<uint8_t> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) throw DataError("base64: letters come by fours");
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding)
    text.remove_suffix(1);
  std::vector<uint8_t> bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  uint32_t word = 0;
  int num_bits = 0;
  for (const char letter : text) {
    const auto value = kValues[uint8_t(letter)];
    if (value < 0)
      throw DataError("base64: holds a letter that is none of its");
    word = word << 6 | uint32_t(value);
    num_bits += 6;
    if (num_bits < 8) continue;
    num_bits -= 8;
    bytes.push_back(uint8_t(word >> num_bits));
  }
  return bytes;
}

}  // namespace calotype
