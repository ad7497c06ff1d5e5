#pragma once

#include <sys/stat.h>

#include <string>

namespace calotype {

/// What tells a version of a file from others: size, times of change and inode,
/// as bytes.
std::string version_of(const struct stat& status);

/// Whether a file changed so long ago that another change would be seen in its
/// times: two seconds, FAT's tick; all other file systems are finer.
bool is_settled(const struct stat& status);

}  // namespace calotype
