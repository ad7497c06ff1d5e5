#pragma once

#include <string>
#include <string_view>

namespace calotype {

/// File names are bytes; records and messages are UTF-8 in one line. Bytes that
/// are neither, and control characters, become "\xHH".
std::string printable(std::string_view name);

}  // namespace calotype
