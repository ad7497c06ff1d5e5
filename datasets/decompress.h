#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "datasets/tar_reader.h"

// The only user of libarchive, of which only the decompression is taken.
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

}  // namespace calotype
