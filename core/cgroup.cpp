#include "core/cgroup.h"

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// "200000 100000", or "max 100000" for no limit.
double cpus_v2(const fs::path& group) {
  std::ifstream file(group / "cpu.max");
  double quota = 0, period = 0;
  return file >> quota >> period && period > 0 ? quota / period : kNoLimit;
}

/// Two files of one number each; a quota of -1 is no limit.
double cpus_v1(const fs::path& group) {
  std::ifstream quota_file(group / "cpu.cfs_quota_us");
  std::ifstream period_file(group / "cpu.cfs_period_us");
  double quota = 0, period = 0;
  const bool found = quota_file >> quota && period_file >> period;
  return found && quota > 0 && period > 0 ? quota / period : kNoLimit;
}

std::optional<double> number_in(const fs::path& path) {
  std::ifstream file(path);
  double number = 0;
  if (file >> number) return number;
  return {};
}

/// Of lines "key number"; 0 if it is not there.
double number_of(const fs::path& path, const std::string& key) {
  std::ifstream file(path);
  std::string name;
  for (double number = 0; file >> name >> number;)
    if (name == key) return number;
  return 0;
}

double free_of(const fs::path& group, const char* limit_name,
               const char* used_name, const char* files_name) {
  const auto limit = number_in(group / limit_name);
  const auto used = number_in(group / used_name);
  if (!limit || !used) return kNoLimit;  // "max" is no number
  const double files = number_of(group / "memory.stat", files_name);
  return std::max(0.0, *limit - std::max(0.0, *used - files));
}

double free_v2(const fs::path& group) {
  return free_of(group, "memory.max", "memory.current", "inactive_file");
}

double free_v1(const fs::path& group) {
  return free_of(group, "memory.limit_in_bytes", "memory.usage_in_bytes",
                 "total_inactive_file");
}

/// The smallest from `group` up to `root`. A container sees its own group
/// mounted as the root, and the path of a group that it cannot see.
template <class Limit>
double smallest(const fs::path& root, const std::string& group, Limit limit) {
  double least = limit(root);
  for (auto path = fs::path(group).relative_path(); !path.empty();
       path = path.parent_path())
    least = std::min(least, limit(root / path));
  return least;
}

/// `controller`: of version 1, whose groups lie in one of `folders`.
template <class Limit>
double least_of_groups(const fs::path& groups, const fs::path& mount,
                       const std::string& controller,
                       std::initializer_list<const char*> folders, Limit v2,
                       Limit v1) {
  double least = smallest(mount, "", v2);
  std::ifstream file(groups);
  // "hierarchy:controllers:path", of version 2 "0::path".
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const auto controllers = line.substr(first + 1, second - first - 1);
    const auto path = line.substr(second + 1);
    if (controllers.empty()) least = std::min(least, smallest(mount, path, v2));
    if (("," + controllers + ",").find("," + controller + ",") ==
        std::string::npos)
      continue;
    for (const auto* folder : folders)
      least = std::min(least, smallest(mount / folder, path, v1));
  }
  return least;
}

}  // namespace

double cgroup_cpus(const fs::path& groups, const fs::path& mount) {
  const double least = least_of_groups(
      groups, mount, "cpu", {"cpu", "cpu,cpuacct"}, cpus_v2, cpus_v1);
  return least == kNoLimit ? 0 : least;
}

int64_t cgroup_free_bytes(const fs::path& groups, const fs::path& mount) {
  const double least =
      least_of_groups(groups, mount, "memory", {"memory"}, free_v2, free_v1);
  return least < 9e18 ? int64_t(least) : std::numeric_limits<int64_t>::max();
}

}  // namespace calotype
