#pragma once

#include <filesystem>

namespace calotype {

/// The CPUs that this process's control groups allow it, which may be a
/// fraction; 0 where there is no limit. The smallest quota from its own group
/// up to the root, of version 2 (cpu.max) and of version 1 (cpu.cfs_quota_us).
/// `groups`: what /proc/self/cgroup says; `mount`: where they are mounted.
double cgroup_cpus(const std::filesystem::path& groups = "/proc/self/cgroup",
                   const std::filesystem::path& mount = "/sys/fs/cgroup");

}  // namespace calotype
