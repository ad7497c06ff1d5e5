#include "tests/support/archives.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

#include "core/crc32.h"
#include "tests/support/little_endian.h"

namespace calotype {
namespace {

constexpr size_t kBlock = 512;

std::string filled(std::string text) {
  text.resize((text.size() + kBlock - 1) / kBlock * kBlock);
  return text;
}

std::string bare_deflated(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 16, '\0');
  stream.next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  stream.avail_in = uInt(text.size());
  stream.next_out = reinterpret_cast<uint8_t*>(out.data());
  stream.avail_out = uInt(out.size());
  deflate(&stream, Z_FINISH);
  const size_t num_bytes = stream.total_out;
  deflateEnd(&stream);
  return out.substr(0, num_bytes);
}

}  // namespace

std::string tar_part(const TarPart& part) {
  std::string header(kBlock, '\0');
  const auto put = [&](size_t at, const std::string& text) {
    header.replace(at, text.size(), text);
  };
  put(0, part.name.substr(0, 100));
  put(100, "0000644");
  put(124, part.size_field.empty() ? fmt::format("{:011o}", part.content.size())
                                   : part.size_field);
  put(136, "00000000000");
  header[156] = part.type;
  put(257, std::string("ustar\0"
                       "00",
                       8));
  put(345, part.prefix);
  put(148, "        ");
  uint32_t sum = 0;
  for (const char c : header) sum += uint8_t(c);
  put(148, fmt::format("{:06o}", sum));
  header[154] = '\0';
  return header + filled(part.content);
}

std::string pax_record(const std::string& key, const std::string& value) {
  const auto rest = " " + key + "=" + value + "\n";
  auto length = rest.size() + 1;
  while (std::to_string(length).size() + rest.size() != length) ++length;
  return std::to_string(length) + rest;
}

std::string make_tar(const std::vector<TarPart>& parts) {
  std::string tar;
  for (const auto& part : parts) tar += tar_part(part);
  return tar + std::string(2 * kBlock, '\0');
}

std::string make_zip(const std::vector<ZipPart>& parts, bool is_zip64) {
  std::string zip, directory;
  for (const auto& part : parts) {
    const auto packed =
        part.deflates ? bare_deflated(part.content) : part.content;
    const auto* content = reinterpret_cast<const uint8_t*>(part.content.data());
    const auto crc = part.crc.value_or(crc32({content, part.content.size()}));
    const auto method = part.method.value_or(part.deflates ? 8 : 0);
    const auto flags = part.flags.value_or(part.sizes_follow ? 8 : 0);
    const uint64_t bytes = part.bytes.value_or(uint32_t(part.content.size()));
    const uint64_t packed_bytes = packed.size();
    const uint64_t offset = part.offset.value_or(uint32_t(zip.size()));
    const auto sizes = [&](bool are_told) {
      if (!are_told) return little_endian(0, 12);
      return little_endian(crc, 4) +
             little_endian(part.is_zip64 ? 0xffffffff : packed_bytes, 4) +
             little_endian(part.is_zip64 ? 0xffffffff : bytes, 4);
    };
    const auto extra_of = [&](bool has_offset) {
      if (!part.is_zip64) return std::string();
      return little_endian(1, 2) + little_endian(has_offset ? 24 : 16, 2) +
             little_endian(bytes, 8) + little_endian(packed_bytes, 8) +
             (has_offset ? little_endian(offset, 8) : "");
    };
    const auto head = [&](const std::string& told) {
      return little_endian(45, 2) + little_endian(flags, 2) +
             little_endian(method, 2) + little_endian(0, 4) + told;
    };
    const auto name = part.local_name.value_or(part.name);
    const auto local_extra = extra_of(false), extra = extra_of(true);
    directory += "PK\1\2" + little_endian(3 << 8 | 45, 2) + head(sizes(true)) +
                 little_endian(part.name.size(), 2) +
                 little_endian(extra.size(), 2) + little_endian(0, 6) +
                 little_endian(uint64_t(part.mode.value_or(0100644)) << 16, 4) +
                 little_endian(part.is_zip64 ? 0xffffffff : offset, 4) +
                 part.name + extra;
    zip += "PK\3\4" + head(sizes(!part.sizes_follow)) +
           little_endian(name.size(), 2) +
           little_endian(local_extra.size(), 2) + name + local_extra + packed;
    if (part.sizes_follow)
      zip += "PK\7\x8" + little_endian(crc, 4) +
             little_endian(packed_bytes, 4) + little_endian(bytes, 4);
  }
  const uint64_t begin = zip.size(), size = directory.size();
  zip += directory;
  if (is_zip64) {
    const uint64_t record = zip.size();
    zip += "PK\6\6" + little_endian(44, 8) + little_endian(45, 2) +
           little_endian(45, 2) + little_endian(0, 8) +
           little_endian(parts.size(), 8) + little_endian(parts.size(), 8) +
           little_endian(size, 8) + little_endian(begin, 8);
    zip += "PK\6\7" + little_endian(0, 4) + little_endian(record, 8) +
           little_endian(1, 4);
  }
  const auto in_end = [&](uint64_t value, size_t num_bytes) {
    return is_zip64 ? std::string(num_bytes, '\xff')
                    : little_endian(value, int(num_bytes));
  };
  return zip + "PK\5\6" + little_endian(0, 4) + in_end(parts.size(), 2) +
         in_end(parts.size(), 2) + in_end(size, 4) + in_end(begin, 4) +
         little_endian(0, 2);
}

}  // namespace calotype
