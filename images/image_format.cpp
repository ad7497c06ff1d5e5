#include "images/image_format.h"

#include <algorithm>
#include <string_view>

namespace calotype {
namespace {

using namespace std::string_view_literals;

/// The bytes at `offset` are `text`.
bool has(std::span<const uint8_t> bytes, size_t offset, std::string_view text) {
  return bytes.size() >= offset + text.size() &&
         std::equal(text.begin(), text.end(), bytes.begin() + offset,
                    [](char a, uint8_t b) { return uint8_t(a) == b; });
}

/// "BM" alone would catch text files too: the size of the second header
/// decides.
bool is_bmp(std::span<const uint8_t> bytes) {
  constexpr uint8_t header_sizes[] = {12, 40, 52, 56, 64, 108, 124};
  return has(bytes, 0, "BM") && has(bytes, 15, "\0\0\0"sv) &&
         std::ranges::count(header_sizes, bytes[14]) == 1;
}

bool is_pnm(std::span<const uint8_t> bytes) {
  return bytes.size() >= 3 && bytes[0] == 'P' && bytes[1] >= '1' &&
         bytes[1] <= '6' &&
         " \t\r\n#"sv.find(char(bytes[2])) != std::string_view::npos;
}

/// Whether "avif" is among the compatible brands that are seen (ISO 14496-12,
/// 4.3).
bool is_avif_brand(std::span<const uint8_t> bytes) {
  for (size_t at = 16; at + 4 <= bytes.size(); at += 4)
    if (has(bytes, at, "avif")) return true;
  return false;
}

}  // namespace

ImageFormat sniff_format(std::span<const uint8_t> bytes) {
  if (has(bytes, 0, "\x89PNG")) return ImageFormat::kPng;
  if (has(bytes, 0, "\xff\xd8\xff")) return ImageFormat::kJpeg;
  if (has(bytes, 0, "RIFF") && has(bytes, 8, "WEBP")) return ImageFormat::kWebp;
  if (is_bmp(bytes)) return ImageFormat::kBmp;
  if (is_pnm(bytes)) return ImageFormat::kPnm;
  if (has(bytes, 4, "ftypavi")) return ImageFormat::kAvif;
  if (has(bytes, 4, "ftyphe") || has(bytes, 4, "ftypmif1") ||
      has(bytes, 4, "ftypmsf1"))
    return is_avif_brand(bytes) ? ImageFormat::kAvif : ImageFormat::kHeif;
  if (has(bytes, 0, "\xff\x0a") || has(bytes, 0, "\0\0\0\x0cJXL \r\n"sv))
    return ImageFormat::kJxl;
  if (has(bytes, 0, "II*\0"sv) || has(bytes, 0, "MM\0*"sv) ||
      has(bytes, 0, "II+\0"sv) || has(bytes, 0, "MM\0+"sv))
    return ImageFormat::kTiff;
  if (has(bytes, 0, "GIF87a") || has(bytes, 0, "GIF89a"))
    return ImageFormat::kGif;
  return ImageFormat::kNone;
}

std::string foreign_format(std::span<const uint8_t> bytes) {
  struct Magic {
    size_t offset;
    std::string_view text, name;
  };
  static constexpr Magic table[] = {
      {4, "jP  ", "JPEG 2000"},
      {0, "\xff\x4f\xff\x51", "JPEG 2000"},
      {0, "8BPS", "PSD"},
      {0, "\x76\x2f\x31\x01", "OpenEXR"},
      {0, "#?RADIANCE", "Radiance HDR"},
      {0, "qoif", "QOI"},
      {0, "\0\0\1\0"sv, "ICO"},
      {0, "%PDF", "PDF"},
      {0, "<svg", "SVG"},
      {0, "P7\n", "PAM"},
  };
  for (const auto& magic : table)
    if (has(bytes, magic.offset, magic.text)) return std::string(magic.name);
  return "";
}

std::string lower_extension(const std::filesystem::path& path) {
  auto extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) {
    return c < 128 ? std::tolower(c) : c;
  });
  return extension;
}

bool has_image_extension(const std::filesystem::path& path) {
  const auto extension = lower_extension(path);
  static constexpr std::string_view known[] = {
      ".png",  ".jpg",  ".jpeg", ".jpe",  ".jfif", ".bmp", ".dib",
      ".webp", ".pnm",  ".pbm",  ".pgm",  ".ppm",  ".gif", ".tif",
      ".tiff", ".avif", ".heic", ".heif", ".jxl",  ".jp2"};
  return std::ranges::find(known, extension) != std::end(known);
}

}  // namespace calotype
