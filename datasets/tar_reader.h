#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

// The tar format: ustar and pax (POSIX.1-2008, pax), and GNU tar's long names
// and large numbers ("Basic Tar Format" of its manual).
namespace calotype {

/// Bytes that come one after the other.
class ByteStream {
 public:
  virtual ~ByteStream() = default;

  /// The next `out.size()` bytes, or as many as there are. May throw DataError.
  virtual size_t read(std::span<uint8_t> out) = 0;

  /// Passes over `count` bytes; less if there are not so many.
  virtual uint64_t skip(uint64_t count) = 0;
};

/// A regular file of a tar.
struct TarMember {
  std::string name;     // below the archive, see member_name()
  uint64_t offset = 0;  // of its bytes in the unpacked archive
  uint64_t bytes = 0;
};

/// Reads the headers of a tar one after the other and refuses what no set of
/// images has: links, devices, sparse files, several volumes, numbers that make
/// no sense. Memory is bounded by a header's.
class TarReader {
 public:
  /// `stream` must outlive the reader; `where` leads messages.
  TarReader(ByteStream& stream, std::string where);

  /// The next regular file; nothing at the archive's end, behind which there
  /// must be nothing but zeros. Its content, which need not be read, is the
  /// stream's next bytes. Throws DataError if the archive is damaged, truncated
  /// or hostile, ConfigError for a kind of member that is not supported.
  std::optional<TarMember> next();

  /// What is left of the content of the last member. Throws DataError if the
  /// archive breaks off.
  std::vector<uint8_t> content();

 private:
  struct Header;
  struct Overrides {  // of the next header
    std::optional<std::string> name;
    std::optional<uint64_t> bytes;
  };

  bool read_header(Header& header);
  void expect_zeros_to_end();
  void read_pax(const Header& header, Overrides& overrides);
  std::string read_long_name(const Header& header);
  std::vector<uint8_t> take(uint64_t count);
  void pass(uint64_t count);
  [[noreturn]] void fail(const std::string& what) const;

  ByteStream& stream_;
  std::string where_;
  uint64_t at_ = 0;       // in the archive
  uint64_t left_ = 0;     // of the last member's content
  uint64_t padding_ = 0;  // behind it
  int64_t num_members_ = 0;
};

/// True if the first bytes of a file (512 of them) are a tar's header.
bool looks_like_tar(std::span<const uint8_t> bytes);

}  // namespace calotype
