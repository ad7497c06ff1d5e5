#include "images/png_chunks.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

#include "core/error.h"
#include "images/codecs.h"

namespace calotype {
namespace {

/// CRC-32 of a chunk's type and data, which follow each other in the file.
uint32_t checksum(const uint8_t* type_and_data, size_t size) {
  return uint32_t(crc32_z(0, type_and_data, size));
}

}  // namespace

std::vector<PngChunk> read_png_chunks(std::span<const uint8_t> bytes,
                                      const std::string& where) {
  constexpr size_t signature_size = sizeof kPngSignature;
  if (bytes.size() < signature_size ||
      !std::equal(kPngSignature, kPngSignature + signature_size, bytes.begin()))
    throw DataError(where + ": not a PNG (wrong signature)");
  std::vector<PngChunk> chunks;
  for (size_t at = signature_size;;) {
    if (bytes.size() - at < 12)
      fail_truncated(where, "PNG", "ends without its IEND chunk");
    const uint8_t* begin = bytes.data() + at;
    const size_t size = read_big_endian_32(begin);
    const std::string_view type(reinterpret_cast<const char*>(begin + 4), 4);
    if (!std::ranges::all_of(
            type, [](char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }))
      fail_damaged(where, "PNG", fmt::format("no chunk at byte {}", at));
    if (size > bytes.size() - at - 12)
      fail_truncated(where, "PNG", fmt::format("in its {} chunk", type));
    if (checksum(begin + 4, size + 4) != read_big_endian_32(begin + 8 + size))
      fail_damaged(where, "PNG",
                   fmt::format("wrong checksum of its {} chunk", type));
    chunks.push_back({type, bytes.subspan(at + 8, size)});
    if (chunks.size() == 1 && (type != "IHDR" || size != 13))
      fail_damaged(where, "PNG", "does not begin with its header");
    if (type == "IEND") return chunks;
    at += size + 12;
  }
}

void append_png_chunk(std::vector<uint8_t>& png, std::string_view type,
                      std::span<const uint8_t> data) {
  append_big_endian_32(png, uint32_t(data.size()));
  const size_t begin = png.size();
  png.insert(png.end(), type.begin(), type.end());
  png.insert(png.end(), data.begin(), data.end());
  append_big_endian_32(png, checksum(png.data() + begin, png.size() - begin));
}

uint32_t read_big_endian_32(const uint8_t* bytes) {
  return uint32_t(bytes[0]) << 24 | uint32_t(bytes[1]) << 16 |
         uint32_t(bytes[2]) << 8 | bytes[3];
}

void append_big_endian_32(std::vector<uint8_t>& bytes, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes.push_back(uint8_t(value >> shift));
}

}  // namespace calotype
