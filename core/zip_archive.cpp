#include "core/zip_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include "core/crc32.h"
#include "core/error.h"
#include "core/member_name.h"
#include "core/printable.h"

namespace calotype {
namespace {

using Bytes = std::span<const uint8_t>;

// Signatures and fixed sizes, APPNOTE.TXT 4.3.
constexpr uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50,
                   kEnd = 0x06054b50, kZip64End = 0x06064b50,
                   kZip64Locator = 0x07064b50;
constexpr uint64_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22,
                   kZip64EndBytes = 56, kZip64LocatorBytes = 20,
                   kMaxComment = 0xffff;
constexpr uint16_t kZip64Extra = 1;
constexpr uint32_t kIn64 = 0xffffffff;  // the value stands in a Zip64 record
constexpr uint16_t kIn64Short = 0xffff;
constexpr uint16_t kEncrypted = 1 << 0, kSizesFollow = 1 << 3;
constexpr uint64_t kMaxDeflateRatio = 1032;  // zlib, "Maximum Compression"

/// `num_bytes` at `at`, little-endian; the caller knows that they are there.
uint64_t number(Bytes bytes, uint64_t at, int num_bytes) {
  uint64_t value = 0;
  for (int i = num_bytes; i-- > 0;)
    value = value << 8 | bytes[at + uint64_t(i)];
  return value;
}

uint16_t u16(Bytes bytes, uint64_t at) {
  return uint16_t(number(bytes, at, 2));
}
uint32_t u32(Bytes bytes, uint64_t at) {
  return uint32_t(number(bytes, at, 4));
}
uint64_t u64(Bytes bytes, uint64_t at) {
  return number(bytes, at, 8);
}

bool is_inside(uint64_t at, uint64_t size, uint64_t end) {
  return at <= end && size <= end - at;
}

std::string_view text(Bytes bytes, uint64_t at, uint64_t size) {
  return {reinterpret_cast<const char*>(bytes.data()) + at, size};
}

/// Where the archive's end record lies: the last one whose comment ends with
/// the file.
std::optional<uint64_t> find_end(Bytes bytes) {
  if (bytes.size() < kEndBytes) return {};
  const uint64_t last = bytes.size() - kEndBytes;
  const uint64_t first = last > kMaxComment ? last - kMaxComment : 0;
  for (uint64_t at = last + 1; at-- > first;)
    if (u32(bytes, at) == kEnd && u16(bytes, at + 20) == last - at) return at;
  return {};
}

/// Of the directory, as the end records tell.
struct Directory {
  uint64_t begin = 0, size = 0, num_entries = 0;
  uint64_t end = 0;  // where the first of the end records begins
  bool is_of_one_part = true;
  bool is_sound = true;
};

Directory find_directory(Bytes bytes, uint64_t end) {
  Directory found{.begin = u32(bytes, end + 16),
                  .size = u32(bytes, end + 12),
                  .num_entries = u16(bytes, end + 10),
                  .end = end};
  const auto part = u16(bytes, end + 4), first_part = u16(bytes, end + 6);
  const bool has_locator =
      end >= kZip64LocatorBytes &&
      u32(bytes, end - kZip64LocatorBytes) == kZip64Locator;
  found.is_of_one_part =
      (part == 0 && first_part == 0) || (has_locator && part == kIn64Short);
  if (!has_locator) return found;
  const auto locator = end - kZip64LocatorBytes;
  const auto record = u64(bytes, locator + 8);
  if (!is_inside(record, kZip64EndBytes, locator) ||
      u32(bytes, record) != kZip64End) {
    found.is_sound = false;
    return found;
  }
  found.end = record;
  if (u32(bytes, record + 16) != 0 || u32(bytes, locator + 16) > 1)
    found.is_of_one_part = false;
  if (found.num_entries == kIn64Short)
    found.num_entries = u64(bytes, record + 32);
  if (found.size == kIn64) found.size = u64(bytes, record + 40);
  if (found.begin == kIn64) found.begin = u64(bytes, record + 48);
  return found;
}

/// Takes one value after the other out of a Zip64 extra field.
class Zip64Values {
 public:
  /// `extra`: all extra fields of a header.
  explicit Zip64Values(Bytes extra) {
    for (uint64_t at = 0; is_inside(at, 4, extra.size());) {
      const uint64_t size = u16(extra, at + 2);
      if (!is_inside(at + 4, size, extra.size())) return;
      if (u16(extra, at) == kZip64Extra) {
        values_ = extra.subspan(at + 4, size);
        return;
      }
      at += 4 + size;
    }
  }

  /// `value`, or the next one here if it says so; none if that is missing.
  std::optional<uint64_t> resolve(uint32_t value) {
    if (value != kIn64) return value;
    if (values_.size() < 8) return {};
    const auto resolved = u64(values_, 0);
    values_ = values_.subspan(8);
    return resolved;
  }

 private:
  Bytes values_;
};

/// Of the upper half of the external attributes, where Unix has a file's mode.
bool is_regular_mode(uint16_t made_by, uint32_t attributes) {
  constexpr uint16_t kUnix = 3;
  constexpr uint32_t kTypeMask = 0170000, kRegular = 0100000;
  const uint32_t type = attributes >> 16 & kTypeMask;
  return made_by >> 8 != kUnix || type == 0 || type == kRegular;
}

}  // namespace

ZipArchive::ZipArchive(std::span<const uint8_t> bytes, std::string where)
    : bytes_(bytes), where_(std::move(where)) {
  const auto end = find_end(bytes_);
  if (!end) fail("truncated, or no zip archive: it has no end record");
  const auto found = find_directory(bytes_, *end);
  if (!found.is_of_one_part)
    throw ConfigError(where_ +
                      ": one part of a zip archive of several, which is not "
                      "supported; join them: zip -s 0 IN.zip --out OUT.zip");
  if (!found.is_sound) fail("damaged zip archive: no Zip64 end record");
  if (!is_inside(found.begin, found.size, found.end) ||
      found.begin + found.size != found.end)
    fail("damaged zip archive: its directory is not where its end says");
  if (found.num_entries > found.size / kCentralBytes)
    fail(
        fmt::format("damaged zip archive: {} entries in a directory of {} "
                    "bytes",
                    found.num_entries, found.size));
  read_directory(found.begin, found.end, found.num_entries);
  refuse_shared_bytes(found.begin);
  sort_by_name();
}

void ZipArchive::fail(const std::string& what) const {
  throw DataError(where_ + ": " + what);
}

void ZipArchive::read_directory(uint64_t begin, uint64_t end,
                                uint64_t num_entries) {
  auto at = begin;
  for (uint64_t i = 0; i < num_entries; ++i) at = read_entry(at, end);
  if (at != end)
    fail("damaged zip archive: its directory holds more than its entries");
}

uint64_t ZipArchive::read_entry(uint64_t at, uint64_t end) {
  if (!is_inside(at, kCentralBytes, end) || u32(bytes_, at) != kCentralHeader)
    fail("damaged zip archive: an entry of its directory breaks off");
  const uint64_t name_bytes = u16(bytes_, at + 28),
                 extra_bytes = u16(bytes_, at + 30),
                 comment_bytes = u16(bytes_, at + 32);
  const auto name_at = at + kCentralBytes;
  const auto size = kCentralBytes + name_bytes + extra_bytes + comment_bytes;
  if (!is_inside(at, size, end))
    fail("damaged zip archive: an entry of its directory breaks off");
  const auto stored_name = text(bytes_, name_at, name_bytes);
  if (stored_name.ends_with('/')) {  // a folder, whose name is checked too
    member_name(where_, stored_name);
    return at + size;
  }
  Zip64Values values(bytes_.subspan(name_at + name_bytes, extra_bytes));
  const auto bytes = values.resolve(u32(bytes_, at + 24));
  const auto packed = values.resolve(u32(bytes_, at + 20));
  const auto offset = values.resolve(u32(bytes_, at + 42));
  ZipEntry entry{
      .name = member_name(where_, stored_name),
      .method = u16(bytes_, at + 10),
      .is_encrypted = (u16(bytes_, at + 8) & kEncrypted) != 0,
      .is_regular = is_regular_mode(u16(bytes_, at + 4), u32(bytes_, at + 38)),
      .crc = u32(bytes_, at + 16)};
  const auto shown = printable(entry.name);
  if (!bytes || !packed || !offset)
    fail(fmt::format("damaged zip archive: {} lacks its Zip64 sizes", shown));
  entry.bytes = *bytes;
  entry.packed_bytes = *packed;
  entry.header_offset = *offset;
  if (entry.method == uint16_t(ZipMethod::kStored) && !entry.is_encrypted &&
      *bytes != *packed)
    fail(
        fmt::format("damaged zip archive: {} is stored in {} bytes and "
                    "declares {}",
                    shown, *packed, *bytes));
  if (entry.method == uint16_t(ZipMethod::kDeflated) &&
      *bytes / kMaxDeflateRatio > *packed)
    fail(fmt::format("{} declares {} bytes, more than {} bytes can inflate to",
                     shown, *bytes, *packed));
  entries_.push_back(std::move(entry));
  return at + size;
}

void ZipArchive::refuse_shared_bytes(uint64_t directory_begin) {
  std::vector<uint32_t> order(entries_.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [&](uint32_t i) {
    return std::pair(entries_[i].header_offset, i);
  });
  for (size_t i = 0; i < order.size(); ++i) {
    auto& entry = entries_[order[i]];
    entry.end_offset = i + 1 < order.size()
                           ? entries_[order[i + 1]].header_offset
                           : directory_begin;
    const auto begin = entry.header_offset;
    if (begin > entry.end_offset ||
        !is_inside(begin, kLocalBytes, entry.end_offset) ||
        !is_inside(begin + kLocalBytes, entry.packed_bytes, entry.end_offset))
      fail(fmt::format("damaged zip archive: {} overlaps what follows it",
                       printable(entry.name)));
  }
}

void ZipArchive::sort_by_name() {
  by_name_.resize(entries_.size());
  std::iota(by_name_.begin(), by_name_.end(), 0);
  const auto name = [&](uint32_t i) -> const std::string& {
    return entries_[i].name;
  };
  std::ranges::sort(by_name_, {}, name);
  const auto twice = std::ranges::adjacent_find(by_name_, {}, name);
  if (twice != by_name_.end())
    fail(fmt::format("two entries are called {}", printable(name(*twice))));
}

const ZipEntry* ZipArchive::find(const std::string& name) const {
  const auto found = std::ranges::lower_bound(
      by_name_, name, {},
      [&](uint32_t i) -> const std::string& { return entries_[i].name; });
  if (found == by_name_.end() || entries_[*found].name != name) return nullptr;
  return &entries_[*found];
}

void ZipArchive::expect_supported(const ZipEntry& entry) const {
  const auto shown = printable(entry.name);
  if (entry.is_encrypted)
    throw ConfigError(fmt::format("{}: {} is encrypted, which is not supported",
                                  where_, shown));
  if (entry.method != uint16_t(ZipMethod::kStored) &&
      entry.method != uint16_t(ZipMethod::kDeflated))
    throw ConfigError(fmt::format(
        "{}: {} is compressed by {}, which is not supported; store it: zip -0",
        where_, shown, zip_method_name(entry.method)));
}

std::span<const uint8_t> ZipArchive::packed(const ZipEntry& entry) const {
  expect_supported(entry);
  const auto shown = printable(entry.name);
  const auto at = entry.header_offset;
  const auto end = entry.end_offset;
  if (!is_inside(at, kLocalBytes, end) || u32(bytes_, at) != kLocalHeader)
    fail(fmt::format("damaged zip archive: {} has no header", shown));
  const uint64_t name_bytes = u16(bytes_, at + 26),
                 extra_bytes = u16(bytes_, at + 28);
  const auto data = at + kLocalBytes + name_bytes + extra_bytes;
  if (!is_inside(data, entry.packed_bytes, end))
    fail(
        fmt::format("damaged zip archive: {} overlaps what follows it", shown));
  // Two names of one file, or two sizes, would let two readers see two files.
  const auto flags = u16(bytes_, at + 6);
  Zip64Values values(bytes_.subspan(data - extra_bytes, extra_bytes));
  const auto bytes = values.resolve(u32(bytes_, at + 22));
  const auto packed = values.resolve(u32(bytes_, at + 18));
  const bool is_same = u16(bytes_, at + 8) == entry.method &&
                       ((flags & kEncrypted) != 0) == entry.is_encrypted &&
                       ((flags & kSizesFollow) != 0 ||
                        (bytes == entry.bytes && packed == entry.packed_bytes));
  if (!is_same || member_name(where_, text(bytes_, at + kLocalBytes,
                                           name_bytes)) != entry.name)
    fail(
        fmt::format("damaged zip archive: the header of {} and the directory "
                    "differ",
                    shown));
  return bytes_.subspan(data, entry.packed_bytes);
}

std::span<const uint8_t> ZipArchive::stored(const ZipEntry& entry) const {
  const auto content = packed(entry);
  if (entry.method != uint16_t(ZipMethod::kStored))
    throw ConfigError(fmt::format("{}: {} is compressed; expected a stored one",
                                  where_, printable(entry.name)));
  check_content(entry, content);
  return content;
}

void ZipArchive::check_content(const ZipEntry& entry,
                               std::span<const uint8_t> content) const {
  if (content.size() != entry.bytes)
    fail(fmt::format("damaged zip archive: {} has {} bytes and declares {}",
                     printable(entry.name), content.size(), entry.bytes));
  if (crc32(content) != entry.crc)
    fail(fmt::format("damaged zip archive: the CRC of {} is wrong",
                     printable(entry.name)));
}

bool looks_like_zip(std::span<const uint8_t> bytes) {
  return bytes.size() >= 4 &&
         (u32(bytes, 0) == kLocalHeader || u32(bytes, 0) == kEnd);
}

std::string zip_method_name(uint16_t method) {
  switch (method) {
    case 0:
      return "nothing";
    case 8:
      return "deflate";
    case 9:
      return "deflate64";
    case 12:
      return "bzip2";
    case 14:
      return "LZMA";
    case 93:
      return "Zstandard";
    case 95:
      return "xz";
    default:
      return fmt::format("method {}", method);
  }
}

}  // namespace calotype
