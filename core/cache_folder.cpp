#include "core/cache_folder.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace calotype {

namespace fs = std::filesystem;

fs::path cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME");
      cache && fs::path(cache).is_absolute())
    return fs::path(cache) / "calotype";
  const char* home = std::getenv("HOME");
  if (!home || !fs::path(home).is_absolute()) return {};
  return fs::path(home) / ".cache" / "calotype";
}

void keep_newest(const fs::path& folder, uint64_t max_bytes) {
  struct Kept {
    fs::file_time_type time;
    uint64_t bytes;
    fs::path path;
  };
  std::vector<Kept> kept;
  uint64_t total = 0;
  for (const auto& item : fs::directory_iterator(folder)) {
    kept.push_back({item.last_write_time(), item.file_size(), item.path()});
    total += kept.back().bytes;
  }
  std::ranges::sort(kept, {}, &Kept::time);
  for (size_t i = 0; i + 1 < kept.size() && total > max_bytes; ++i) {
    fs::remove(kept[i].path);
    total -= kept[i].bytes;
  }
}

}  // namespace calotype
