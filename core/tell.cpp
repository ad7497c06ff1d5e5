#include "core/tell.h"

#include <fmt/format.h>

#include <cstdio>
#include <mutex>
#include <unordered_set>

namespace calotype {

void tell_once(const std::string& line) {
  static std::mutex mutex;
  static std::unordered_set<std::string> told;
  const std::lock_guard lock(mutex);
  if (told.insert(line).second) fmt::print(stderr, "{}\n", line);
}

}  // namespace calotype
