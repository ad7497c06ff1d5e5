#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

// How much memory this process may take. What follows from it are rows that a
// network is asked for at once (nn/row_memory.h) and refusals, never results.
namespace calotype {

/// "800M", "8G", "1.5GiB", "65536": units are powers of 1024. Throws
/// ConfigError for anything else, and below 1 MiB; `what` is named in it.
int64_t parse_bytes(const std::string& text, const std::string& what);

/// Bytes that the machine has free and that the control groups leave, INT64_MAX
/// if neither says. `meminfo`: /proc/meminfo.
int64_t free_memory_bytes(
    const std::filesystem::path& meminfo = "/proc/meminfo");

/// All that this process may take from now on; 0: as much as it wants, as it is
/// before.
void set_memory_limit(int64_t bytes);
int64_t memory_limit();

/// Bytes of the heap in use; what was freed and is kept for later is not.
int64_t memory_in_use();

/// Of the limit; at least 0, INT64_MAX where there is none.
int64_t memory_left();

}  // namespace calotype
