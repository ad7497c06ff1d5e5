#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

// What kind of file some bytes are, told by their first ones.
namespace calotype {

enum class ImageFormat {
  kNone,
  kPng,
  kJpeg,
  kBmp,
  kWebp,
  kPnm,
  kAvif,
  kHeif,
  kJxl,
  kTiff,
  kGif
};

/// How many leading bytes decide.
inline constexpr size_t kSniffBytes = 32;

ImageFormat sniff_format(std::span<const uint8_t> bytes);

/// "PSD", "JPEG 2000" and so on for well-known files that are not decoded here,
/// else "".
std::string foreign_format(std::span<const uint8_t> bytes);

/// The ending of a name, ".png" of "A.PNG"; "" if it has none.
std::string lower_extension(const std::filesystem::path& path);

/// True if the name promises an image, of a kind that is decoded here or not.
bool has_image_extension(const std::filesystem::path& path);

}  // namespace calotype
