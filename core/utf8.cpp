#include "core/utf8.h"

#include <cstdint>

namespace calotype {
namespace {

uint8_t byte_of(std::string_view text, size_t at) {
  return at < text.size() ? uint8_t(text[at]) : 0;
}

}  // namespace

size_t utf8_character_size(std::string_view text) {
  if (text.empty()) return 0;
  const uint8_t first = byte_of(text, 0), second = byte_of(text, 1);
  if (first < 0x80) return 1;
  const size_t size = first >= 0xc2 && first <= 0xdf   ? 2
                      : first >= 0xe0 && first <= 0xef ? 3
                      : first >= 0xf0 && first <= 0xf4 ? 4
                                                       : 0;
  for (size_t i = 1; i < size; ++i)
    if ((byte_of(text, i) & 0xc0) != 0x80) return 0;
  const bool forbidden =
      (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
      (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
  return forbidden ? 0 : size;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto size = utf8_character_size(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

}  // namespace calotype
