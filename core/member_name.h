#pragma once

#include <string>
#include <string_view>

namespace calotype {

/// The name of an archive's member as a path below the archive: "./a//b.png" is
/// "a/b.png". Throws DataError, in the name of `where`, for a name that would
/// leave it (absolute, or with ".."), that is empty, longer than 4,096 bytes or
/// has a zero byte in it.
std::string member_name(const std::string& where, std::string_view stored);

}  // namespace calotype
