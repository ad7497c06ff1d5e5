#include "datasets/file_version.h"

#include <algorithm>
#include <cstdint>
#include <ctime>

namespace calotype {

std::string version_of(const struct stat& status) {
  const int64_t facts[] = {
      int64_t(status.st_size),         int64_t(status.st_mtim.tv_sec),
      int64_t(status.st_mtim.tv_nsec), int64_t(status.st_ctim.tv_sec),
      int64_t(status.st_ctim.tv_nsec), int64_t(status.st_ino)};
  return {reinterpret_cast<const char*>(facts), sizeof facts};
}

bool is_settled(const struct stat& status) {
  constexpr int64_t kTick_s = 2;
  const auto changed = std::max(status.st_mtim.tv_sec, status.st_ctim.tv_sec);
  return int64_t(changed) + kTick_s < int64_t(std::time(nullptr));
}

}  // namespace calotype
