#pragma once

#include <cstdint>
#include <filesystem>

// What control groups (containers) allow this process: the least from its own
// group up to the root, of version 2 and of version 1. `groups`: what
// /proc/self/cgroup says; `mount`: where they are mounted.
namespace calotype {

/// CPUs, which may be a fraction; 0 where there is no limit (cpu.max,
/// cpu.cfs_quota_us).
double cgroup_cpus(const std::filesystem::path& groups = "/proc/self/cgroup",
                   const std::filesystem::path& mount = "/sys/fs/cgroup");

/// Bytes that may still be taken; INT64_MAX where there is no limit
/// (memory.max, memory.limit_in_bytes). What holds files that were read counts
/// as free: the kernel lets go of it.
int64_t cgroup_free_bytes(
    const std::filesystem::path& groups = "/proc/self/cgroup",
    const std::filesystem::path& mount = "/sys/fs/cgroup");

}  // namespace calotype
