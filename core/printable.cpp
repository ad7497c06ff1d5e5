#include "core/printable.h"

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "core/utf8.h"

namespace calotype {
namespace {

uint8_t byte_at(std::string_view text, size_t at) {
  return at < text.size() ? uint8_t(text[at]) : 0;
}

/// Bytes of the character at the beginning of `text` that may be shown as it
/// is, or 0: control characters may not.
size_t shown_size(std::string_view text) {
  const uint8_t first = byte_at(text, 0);
  return first < 0x20 || first == 0x7f ? 0 : utf8_character_size(text);
}

bool is_hex_digit(uint8_t c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

/// Whether `text` begins as printable() writes a byte: "\\x0A".
bool is_escape(std::string_view text) {
  return text.starts_with("\\x") && is_hex_digit(byte_at(text, 2)) &&
         is_hex_digit(byte_at(text, 3));
}

}  // namespace

std::string printable(std::string_view name) {
  std::string text;
  while (!name.empty()) {
    // A backslash that would be taken for an escape is one itself.
    const size_t size = is_escape(name) ? 0 : shown_size(name);
    if (size == 0) {
      text += fmt::format("\\x{:02X}", byte_at(name, 0));
    } else {
      text += name.substr(0, size);
    }
    name.remove_prefix(size == 0 ? 1 : size);
  }
  return text;
}

std::string raw_name(std::string_view printed) {
  std::string name;
  for (size_t at = 0; at < printed.size();) {
    if (is_escape(printed.substr(at))) {
      name +=
          char(std::stoi(std::string(printed.substr(at + 2, 2)), nullptr, 16));
      at += 4;
    } else {
      name += printed[at++];
    }
  }
  const bool is_name =
      printable(name) == printed && name.find('\0') == std::string::npos;
  return is_name ? name : std::string(printed);
}

}  // namespace calotype
