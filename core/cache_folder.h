#pragma once

#include <cstdint>
#include <filesystem>

namespace calotype {

/// The program's part of the user's cache folder: $XDG_CACHE_HOME/calotype,
/// else
/// ~/.cache/calotype; empty where neither is an absolute path. What lies in it
/// can be made again, and may be gone at any time.
std::filesystem::path cache_folder();

/// Removes the files that were written longest ago until those in `folder` are
/// together below `max_bytes`; the newest stays. Throws filesystem_error.
void keep_newest(const std::filesystem::path& folder, uint64_t max_bytes);

}  // namespace calotype
