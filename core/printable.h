#pragma once

#include <string>
#include <string_view>

namespace calotype {

/// File names are bytes; records and messages are UTF-8 in one line. Bytes that
/// are neither, and control characters, become "\xHH", as does a backslash that
/// "xHH" follows: two names never become one.
std::string printable(std::string_view name);

/// The file name that printable() made `printed` of. Text that no file name
/// becomes is taken as it is.
std::string raw_name(std::string_view printed);

}  // namespace calotype
