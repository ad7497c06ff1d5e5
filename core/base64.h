#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace calotype {

/// Bytes as text for data: URIs (RFC 4648, section 4).
std::string base64(std::span<const uint8_t> bytes);

/// The bytes that such text is of, padding and all. Throws DataError for
/// whatever else stands in it.
std::vector<uint8_t> from_base64(std::string_view text);

}  // namespace calotype
