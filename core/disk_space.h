#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace calotype {

/// Bytes that may still be written to the file system where `path` is or would
/// be made; INT64_MAX if the system does not say.
int64_t free_bytes(const std::filesystem::path& path);

/// Throws ConfigError where what is to be written to `path` cannot fit:
/// "store: needs 4.0 GiB, and 1.0 GiB are free there". `needs_bytes`: at least
/// so many; what is known for certain, not what is likely.
void expect_space(const std::filesystem::path& path, int64_t needs_bytes);

/// Says in one line on stderr where `likely_bytes`, an upper bound, would not
/// fit: compressed images may be a small part of it.
void tell_if_tight(const std::filesystem::path& path, int64_t likely_bytes);

}  // namespace calotype
