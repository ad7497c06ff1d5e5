#pragma once

#include <cstddef>
#include <string_view>

namespace calotype {

/// Bytes of the UTF-8 character at the beginning of `text`, control characters
/// included; 0 if there is none (RFC 3629, section 4: no overlong forms, no
/// surrogates, nothing above U+10FFFF).
size_t utf8_character_size(std::string_view text);

bool is_utf8(std::string_view text);

}  // namespace calotype
