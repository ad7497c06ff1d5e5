#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace calotype {

/// XXH3, 64 bits: identity of data against accidents.
uint64_t xxh64(std::span<const uint8_t> bytes);
uint64_t xxh64(std::string_view text);

/// Of all bytes of the file, without holding them. Throws as read_file does.
uint64_t xxh64_of_file(const std::filesystem::path& path);

/// SHA-256 as 64 hex digits: identity of weights. That of a file throws as
/// read_file does.
std::string sha256_hex(std::span<const uint8_t> bytes);
std::string sha256_hex_of_file(const std::filesystem::path& path);

/// 16 hex digits.
std::string hex64(uint64_t value);

}  // namespace calotype
