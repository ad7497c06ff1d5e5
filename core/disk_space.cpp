#include "core/disk_space.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cstdio>
#include <system_error>

#include "core/error.h"
#include "core/note.h"
#include "core/progress.h"

namespace calotype {

namespace fs = std::filesystem;

int64_t free_bytes(const fs::path& path) {
  std::error_code ignored;
  auto there = fs::absolute(path, ignored);
  while (!fs::exists(there, ignored) && there.has_relative_path())
    there = there.parent_path();
  struct statvfs status {};
  if (::statvfs(there.c_str(), &status) != 0) return INT64_MAX;
  const auto free = double(status.f_bavail) * double(status.f_frsize);
  return int64_t(std::min(free, 9e18));
}

void expect_space(const fs::path& path, int64_t needs_bytes) {
  const auto free = free_bytes(path);
  if (needs_bytes > free)
    throw ConfigError(
        fmt::format("{}: needs {}, and {} are free there", path.string(),
                    bytes_text(double(needs_bytes)), bytes_text(double(free))));
}

void tell_if_tight(const fs::path& path, int64_t likely_bytes) {
  const auto free = free_bytes(path);
  if (likely_bytes > free)
    note(fmt::format("{}: may need up to {}, and {} are free there",
                     path.string(), bytes_text(double(likely_bytes)),
                     bytes_text(double(free))));
}

}  // namespace calotype
