#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

// The directory of a zip archive (PKWARE's APPNOTE.TXT 6.3.10), Zip64 and
// entries with data descriptors among them, of one part.
namespace calotype {

enum class ZipMethod : uint16_t { kStored = 0, kDeflated = 8 };

/// A file of the archive, as its central directory has it.
struct ZipEntry {
  std::string name;  // below the archive, see member_name()
  uint16_t method = 0;
  bool is_encrypted = false;
  bool is_regular = true;     // no link and no device, where Unix wrote it
  uint32_t crc = 0;           // CRC-32 of what comes out
  uint64_t packed_bytes = 0;  // in the archive
  uint64_t bytes = 0;         // of what comes out; as declared

  uint64_t header_offset = 0;  // of its local header
  uint64_t end_offset = 0;     // where the next entry or the directory begins
};

/// Lists what a zip archive holds and gives the bytes of its entries, without
/// copies. Nothing that a file claims is believed beyond its own size; memory
/// is bounded by that of its directory. May be read from several threads.
class ZipArchive {
 public:
  /// `bytes`: the whole file, which must outlive the archive (see MappedFile).
  /// `where` leads messages. Throws DataError if the archive is truncated or
  /// damaged, two entries share a name or bytes, or a name leaves the archive
  /// (see member_name); ConfigError if it is one part of several.
  ZipArchive(std::span<const uint8_t> bytes, std::string where);

  /// In the order of the directory; folders are left out.
  const std::vector<ZipEntry>& entries() const { return entries_; }

  /// The entry called `name`; null if there is none.
  const ZipEntry* find(const std::string& name) const;

  /// Throws ConfigError if an entry is encrypted, or of a method other than
  /// ZipMethod's.
  void expect_supported(const ZipEntry& entry) const;

  /// The bytes of an entry as they lie in the archive: compressed, unless it is
  /// stored. Throws as expect_supported, DataError if its local header is not
  /// that of the directory.
  std::span<const uint8_t> packed(const ZipEntry& entry) const;

  /// The same of a stored entry, whose CRC is checked. Throws ConfigError if it
  /// is compressed.
  std::span<const uint8_t> stored(const ZipEntry& entry) const;

  /// Throws DataError unless `content` is what the entry's size and CRC are of.
  void check_content(const ZipEntry& entry,
                     std::span<const uint8_t> content) const;

 private:
  void read_directory(uint64_t begin, uint64_t end, uint64_t num_entries);
  uint64_t read_entry(uint64_t at, uint64_t end);
  void refuse_shared_bytes(uint64_t directory_begin);
  void sort_by_name();
  [[noreturn]] void fail(const std::string& what) const;

  std::span<const uint8_t> bytes_;
  std::string where_;
  std::vector<ZipEntry> entries_;
  std::vector<uint32_t> by_name_;  // places in entries_
};

/// True if the first bytes of a file are those of a zip archive.
bool looks_like_zip(std::span<const uint8_t> bytes);

/// "deflate64", "LZMA", "method 99": as messages call it.
std::string zip_method_name(uint16_t method);

}  // namespace calotype
