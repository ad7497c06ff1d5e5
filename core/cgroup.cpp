#include "core/cgroup.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// "200000 100000", or "max 100000" for no limit.
double quota_v2(const fs::path& group) {
  std::ifstream file(group / "cpu.max");
  double quota = 0, period = 0;
  return file >> quota >> period && period > 0 ? quota / period : 0;
}

/// Two files of one number each; a quota of -1 is no limit.
double quota_v1(const fs::path& group) {
  std::ifstream quota_file(group / "cpu.cfs_quota_us");
  std::ifstream period_file(group / "cpu.cfs_period_us");
  double quota = 0, period = 0;
  const bool found = quota_file >> quota && period_file >> period;
  return found && quota > 0 && period > 0 ? quota / period : 0;
}

/// The smallest from `group` up to `root`. A container sees its own group
/// mounted as the root, and the path of a group that it cannot see.
template <class Quota>
double smallest(const fs::path& root, const std::string& group, Quota quota) {
  double least = quota(root);
  for (auto path = fs::path(group).relative_path(); !path.empty();
       path = path.parent_path())
    if (const double cpus = quota(root / path); cpus > 0)
      least = least > 0 ? std::min(least, cpus) : cpus;
  return least;
}

bool lists_cpu(const std::string& controllers) {
  return ("," + controllers + ",").find(",cpu,") != std::string::npos;
}

}  // namespace

double cgroup_cpus(const fs::path& groups, const fs::path& mount) {
  double least = smallest(mount, "", quota_v2);
  const auto take = [&](double cpus) {
    if (cpus > 0) least = least > 0 ? std::min(least, cpus) : cpus;
  };
  std::ifstream file(groups);
  // "hierarchy:controllers:path", of version 2 "0::path".
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const auto controllers = line.substr(first + 1, second - first - 1);
    const auto path = line.substr(second + 1);
    if (controllers.empty()) take(smallest(mount, path, quota_v2));
    if (!lists_cpu(controllers)) continue;
    for (const auto* folder : {"cpu", "cpu,cpuacct"})
      take(smallest(mount / folder, path, quota_v1));
  }
  return least;
}

}  // namespace calotype
