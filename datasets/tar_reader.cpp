#include "datasets/tar_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/member_name.h"
#include "core/printable.h"

namespace calotype {
namespace {

constexpr size_t kBlock = 512;
constexpr uint64_t kMaxExtra = 1 << 20;  // of a pax header or a long name
constexpr uint64_t kMaxMember = uint64_t{1} << 60;

using Block = std::array<uint8_t, kBlock>;

/// A field of a header, ended by a zero byte or by its length.
std::string_view field(const Block& block, size_t at, size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(block.data()) + at,
                             size);
  return all.substr(0, all.find('\0'));
}

/// Octal digits between blanks; nothing for other text.
std::optional<uint64_t> octal(std::string_view digits) {
  const auto first = digits.find_first_not_of(' ');
  if (first == std::string_view::npos) return 0;
  digits.remove_prefix(first);
  digits = digits.substr(0, digits.find_last_not_of(' ') + 1);
  uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, 8);
  if (error != std::errc() || end != digits.data() + digits.size()) return {};
  return value;
}

/// A number in octal, or in GNU tar's base 256; nothing if it makes no sense.
std::optional<uint64_t> number(const Block& block, size_t at, size_t size) {
  if ((block[at] & 0x80) == 0) return octal(field(block, at, size));
  if (block[at] != 0x80) return {};  // negative, or beyond 2^64
  uint64_t value = 0;
  for (size_t i = at + 1; i < at + size; ++i) {
    if (value >> 56 != 0) return {};
    value = value << 8 | block[i];
  }
  return value;
}

bool is_zero(std::span<const uint8_t> bytes) {
  return std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
}

/// The sum of a header's bytes, its own field taken for blanks; old programs
/// added them up with a sign.
bool has_right_sum(const Block& block) {
  constexpr size_t kSumAt = 148, kSumBytes = 8;
  const auto stored = octal(field(block, kSumAt, kSumBytes));
  int64_t plain = 0, with_sign = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    const bool is_sum = i >= kSumAt && i < kSumAt + kSumBytes;
    plain += is_sum ? ' ' : block[i];
    with_sign += is_sum ? ' ' : int8_t(block[i]);
  }
  return stored && (int64_t(*stored) == plain || int64_t(*stored) == with_sign);
}

constexpr uint64_t padding_of(uint64_t bytes) {
  return (kBlock - bytes % kBlock) % kBlock;
}

/// What a member of that type is called, where it is none that is read.
std::string refused_type(char type) {
  switch (type) {
    case '1':
      return "a hard link";
    case '2':
      return "a symbolic link";
    case '3':
    case '4':
      return "a device";
    case '6':
      return "a pipe";
    default:
      return "";
  }
}

}  // namespace

struct TarReader::Header {
  std::string name;
  uint64_t bytes = 0;
  char type = 0;
};

TarReader::TarReader(ByteStream& stream, std::string where)
    : stream_(stream), where_(std::move(where)) {}

void TarReader::fail(const std::string& what) const {
  throw DataError(where_ + ": " + what);
}

void TarReader::pass(uint64_t count) {
  if (stream_.skip(count) != count)
    fail(
        fmt::format("truncated tar: it breaks off in member {}", num_members_));
  at_ += count;
}

std::vector<uint8_t> TarReader::take(uint64_t count) {
  // In pieces: a size is believed as far as there are bytes.
  constexpr uint64_t kPiece = 1 << 20;
  std::vector<uint8_t> bytes;
  while (bytes.size() < count) {
    const auto done = bytes.size();
    bytes.resize(size_t(std::min(count, done + kPiece)));
    const auto piece = std::span(bytes).subspan(done);
    if (stream_.read(piece) != piece.size())
      fail(fmt::format("truncated tar: it breaks off in member {}",
                       num_members_));
  }
  at_ += count;
  return bytes;
}

std::vector<uint8_t> TarReader::content() {
  return take(std::exchange(left_, 0));
}

void TarReader::expect_zeros_to_end() {
  std::vector<uint8_t> piece(1 << 16);
  for (;;) {
    const auto count = stream_.read(piece);
    if (!is_zero(std::span(piece).first(count)))
      fail(
          fmt::format("damaged tar: bytes follow its end after {} members; "
                      "were tars joined by cat, give them one by one",
                      num_members_));
    if (count < piece.size()) return;
  }
}

bool TarReader::read_header(Header& header) {
  Block block;
  const auto count = stream_.read(block);
  if (count != kBlock)
    fail(count == 0 && at_ == 0
             ? "an empty file, and no tar"
             : fmt::format("truncated tar: it has no end, after {} members",
                           num_members_));
  at_ += kBlock;
  if (is_zero(block)) {
    expect_zeros_to_end();
    return false;
  }
  if (!has_right_sum(block))
    fail(num_members_ == 0 && at_ == kBlock
             ? "no tar: its first header has a wrong sum"
             : fmt::format("damaged tar: the header behind member {} has a "
                           "wrong sum",
                           num_members_));
  const auto bytes = number(block, 124, 12);
  if (!bytes || *bytes > kMaxMember)
    fail(fmt::format("damaged tar: member {} has a size that makes no sense",
                     num_members_ + 1));
  header.bytes = *bytes;
  header.type = char(block[156]);
  header.name = field(block, 0, 100);
  // GNU's own header has other fields where POSIX's has the prefix.
  constexpr std::string_view kPosix("ustar\0", 6);
  const std::string_view magic(
      reinterpret_cast<const char*>(block.data()) + 257, 6);
  if (const auto prefix = field(block, 345, 155);
      magic == kPosix && !prefix.empty())
    header.name = std::string(prefix) + '/' + header.name;
  return true;
}

std::string TarReader::read_long_name(const Header& header) {
  if (header.bytes > kMaxExtra)
    fail(fmt::format("a name of {} bytes, which is no name", header.bytes));
  const auto bytes = take(header.bytes);
  pass(padding_of(header.bytes));
  const std::string name(bytes.begin(), bytes.end());
  return name.substr(0, name.find('\0'));
}

void TarReader::read_pax(const Header& header, Overrides& overrides) {
  if (header.bytes > kMaxExtra)
    fail(fmt::format("a pax header of {} bytes; expected {} at most",
                     header.bytes, kMaxExtra));
  const auto bytes = take(header.bytes);
  pass(padding_of(header.bytes));
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()),
                        bytes.size());
  while (!rest.empty()) {  // "LENGTH KEY=VALUE\n"
    uint64_t length = 0;
    const auto [after, error] =
        std::from_chars(rest.data(), rest.data() + rest.size(), length);
    const auto key_at = uint64_t(after - rest.data()) + 1;
    if (error != std::errc() || length > rest.size() || key_at >= length ||
        *after != ' ' || rest[length - 1] != '\n')
      fail("damaged tar: a pax header that cannot be read");
    const auto record = rest.substr(key_at, length - 1 - key_at);
    rest.remove_prefix(length);
    const auto equals = record.find('=');
    if (equals == std::string_view::npos)
      fail("damaged tar: a pax header that cannot be read");
    const auto key = record.substr(0, equals),
               value = record.substr(equals + 1);
    if (key.starts_with("GNU.sparse."))
      throw ConfigError(where_ +
                        ": holds a sparse file, which is not supported; pack "
                        "it anew without --sparse");
    if (key != "path" && key != "size") continue;
    if (header.type == 'g')
      fail(fmt::format("a pax header gives all members one {}", key));
    if (key == "path") {
      overrides.name = value;
      continue;
    }
    uint64_t size = 0;
    const auto [end, problem] =
        std::from_chars(value.data(), value.data() + value.size(), size);
    if (problem != std::errc() || end != value.data() + value.size() ||
        size > kMaxMember)
      fail(fmt::format("damaged tar: member {} has a size that makes no sense",
                       num_members_ + 1));
    overrides.bytes = size;
  }
}

std::optional<TarMember> TarReader::next() {
  pass(std::exchange(left_, 0));
  pass(std::exchange(padding_, 0));
  Overrides overrides;
  Header header;
  for (;;) {
    if (!read_header(header)) {
      if (overrides.name || overrides.bytes)
        fail("damaged tar: a member's name, and no member");
      return {};
    }
    if (header.type == 'x' || header.type == 'g') {
      read_pax(header, overrides);
      continue;
    }
    if (header.type == 'L') {
      overrides.name = read_long_name(header);
      continue;
    }
    if (header.type == 'K') {  // the long name of what a link leads to
      read_long_name(header);
      continue;
    }
    const auto bytes = overrides.bytes.value_or(header.bytes);
    const auto stored = overrides.name.value_or(header.name);
    overrides = {};
    if (header.type == 'V') continue;  // the archive's own name
    if (const auto what = refused_type(header.type); !what.empty())
      fail(
          fmt::format("member \"{}\" is {}; only files and folders are read "
                      "(tar -h --hard-dereference packs what links lead to)",
                      printable(stored.substr(0, 200)), what));
    if (header.type == 'S')
      throw ConfigError(where_ +
                        ": holds a sparse file, which is not supported; pack "
                        "it anew without --sparse");
    const bool is_file =
        header.type == '0' || header.type == '\0' || header.type == '7';
    if (!is_file && header.type != '5')
      throw ConfigError(fmt::format(
          "{}: member \"{}\" is of type '{}', which is not supported", where_,
          printable(stored.substr(0, 200)),
          printable(std::string_view(&header.type, 1))));
    ++num_members_;
    const bool is_folder = header.type == '5' || stored.ends_with('/');
    // tar -C folder . has the folder itself as "./", which is no name.
    const auto is_top = stored.find_first_not_of("./") == std::string::npos &&
                        stored.find("..") == std::string::npos &&
                        !stored.starts_with('/');
    if (is_folder && is_top) {
      pass(bytes + padding_of(bytes));
      continue;
    }
    auto name = member_name(where_, stored);
    if (is_folder) {
      pass(bytes + padding_of(bytes));
      continue;
    }
    left_ = bytes;
    padding_ = padding_of(bytes);
    return TarMember{std::move(name), at_, bytes};
  }
}

bool looks_like_tar(std::span<const uint8_t> bytes) {
  if (bytes.size() < kBlock) return false;
  Block block;
  std::copy_n(bytes.begin(), kBlock, block.begin());
  return !is_zero(block) && has_right_sum(block);
}

}  // namespace calotype
