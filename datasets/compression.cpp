#include <algorithm>
#include <string_view>

#include "core/files.h"
#include "datasets/decompress.h"

namespace calotype {

std::string compression_of(std::span<const uint8_t> bytes) {
  using namespace std::string_view_literals;
  struct Magic {
    std::string_view bytes, name;
  };
  static constexpr Magic table[] = {
      {"\x1f\x8b"sv, "gzip"},
      {"BZh"sv, "bzip2"},
      {"\xfd"
       "7zXZ\0"sv,
       "xz"},
      {"\x28\xb5\x2f\xfd"sv, "Zstandard"},
      {"\x04\x22\x4d\x18"sv, "lz4"},
      {"LZIP"sv, "lzip"},
      {"\x5d\0\0"sv, "lzma"},
  };
  for (const auto& magic : table)
    if (bytes.size() >= magic.bytes.size() &&
        std::equal(magic.bytes.begin(), magic.bytes.end(), bytes.begin(),
                   [](char a, uint8_t b) { return uint8_t(a) == b; }))
      return std::string(magic.name);
  return "";
}

std::unique_ptr<ByteStream> open_decompressed(
    const std::filesystem::path& path) {
  constexpr size_t kHeadBytes = 16;
  return compression_of(read_file_head(path, kHeadBytes)) == "gzip"
             ? open_gzip(path)
             : open_by_library(path);
}

}  // namespace calotype
