#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "datasets/tar_reader.h"

// What compressed tars come to. libarchive, which decompress.cpp alone knows,
// is asked for nothing else.
namespace calotype {

/// "gzip", "bzip2", "xz", "Zstandard", "lz4", "lzip" or "lzma" by the first
/// bytes of a file; "" for others.
std::string compression_of(std::span<const uint8_t> bytes);

/// The bytes that a compressed file comes to, piece by piece. Throws
/// ConfigError if the file cannot be opened, or if this build cannot decompress
/// it (and says what to install); reading throws DataError if it is damaged,
/// and where it comes to more than a thousand times its own size.
std::unique_ptr<ByteStream> open_decompressed(
    const std::filesystem::path& path);

/// Of gzip alone, whose checksum libarchive does not look at.
std::unique_ptr<ByteStream> open_gzip(const std::filesystem::path& path);

/// Of all others.
std::unique_ptr<ByteStream> open_by_library(const std::filesystem::path& path);

/// Stops what comes to more than a set of images does: those are compressed
/// already.
class RatioLimit {
 public:
  /// `file_bytes`: of the compressed file; `where` leads messages.
  RatioLimit(std::string where, uint64_t file_bytes);

  /// Throws DataError once too many bytes came out.
  void count(uint64_t num_bytes);

 private:
  std::string where_;
  uint64_t left_;
};

}  // namespace calotype
