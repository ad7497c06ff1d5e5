#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace calotype {

/// An array of unsigned bytes as an IDX file holds it.
struct IdxArray {
  std::vector<int64_t> shape;
  std::vector<uint8_t> values;
};

/// Reads an IDX file, gzipped or not. Throws ConfigError if it cannot be
/// opened, DataError unless it holds exactly the bytes that its header
/// announces, below 4 GiB.
IdxArray read_idx(const std::filesystem::path& path);

/// True if the leading bytes of a file (kSniffBytes of them) are those of IDX
/// data or of a gzip file.
bool looks_like_idx(std::span<const uint8_t> bytes);

}  // namespace calotype
