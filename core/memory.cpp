#include "core/memory.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <limits>

#include "core/cgroup.h"
#include "core/error.h"

namespace calotype {
namespace {

constexpr auto kMostBytes = std::numeric_limits<int64_t>::max();

std::atomic<int64_t> process_limit = 0;

/// Of "", "B", "K", "KB", "KiB", "M", ...; 0 for another.
double unit_bytes(const std::string& unit) {
  if (unit.empty() || unit == "B") return 1;
  const auto power = std::string("KMGT").find(unit[0]);
  const auto rest = unit.substr(1);
  if (power == std::string::npos || (rest != "" && rest != "B" && rest != "iB"))
    return 0;
  return std::pow(1024.0, double(power + 1));
}

}  // namespace

int64_t parse_bytes(const std::string& text, const std::string& what) {
  constexpr double kLeast = 1 << 20, kMost = 9e18;
  const auto end = text.find_first_not_of("0123456789.");
  double bytes = 0;
  try {
    size_t used = 0;
    const auto digits = text.substr(0, end);
    const double number = std::stod(digits, &used);
    if (used == digits.size())
      bytes =
          number * unit_bytes(end == std::string::npos ? "" : text.substr(end));
  } catch (const std::logic_error&) {  // no number, or none that fits
  }
  if (!(bytes >= kLeast && bytes <= kMost))
    throw ConfigError(
        fmt::format("{}: expected bytes, such as 800M or 8G, at least 1M, "
                    "got {}",
                    what, text));
  return int64_t(bytes);
}

int64_t free_memory_bytes(const std::filesystem::path& meminfo) {
  auto free = cgroup_free_bytes();
  std::ifstream file(meminfo);
  std::string name, rest;
  for (int64_t kib = 0; file >> name >> kib; std::getline(file, rest))
    if (name == "MemAvailable:") free = std::min(free, kib * 1024);
  return free;
}

void set_memory_limit(int64_t bytes) {
  process_limit = bytes;
}

int64_t memory_limit() {
  return process_limit;
}

int64_t memory_in_use() {
  const auto heap = mallinfo2();
  return int64_t(heap.uordblks + heap.hblkhd);
}

int64_t memory_left() {
  const int64_t most = process_limit;
  if (most == 0 || most == kMostBytes) return kMostBytes;
  return std::max<int64_t>(0, most - memory_in_use());
}

}  // namespace calotype
