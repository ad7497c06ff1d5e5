#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// Archives made in memory, the odd ones included.
namespace calotype {

/// A tar's header and, behind it, `content`, both filled up to blocks.
struct TarPart {
  std::string name;
  std::string content;
  char type = '0';
  std::string size_field = {};  // empty: of `content`, in octal
  std::string prefix = {};      // POSIX's
};
std::string tar_part(const TarPart& part);

/// "LENGTH KEY=VALUE\n", whose length counts itself.
std::string pax_record(const std::string& key, const std::string& value);

/// The parts and the two blocks of zeros behind them.
std::string make_tar(const std::vector<TarPart>& parts);

struct ZipPart {
  std::string name;
  std::string content;
  bool deflates = false;
  bool sizes_follow = false;  // in a data descriptor
  bool is_zip64 = false;      // with sizes and offset in extra fields
  // What the headers say, where it is not so.
  std::optional<uint16_t> method = {}, flags = {};
  std::optional<uint32_t> crc = {}, bytes = {}, offset = {}, mode = {};
  std::optional<std::string> local_name = {};
};
/// `is_zip64`: with Zip64's end records.
std::string make_zip(const std::vector<ZipPart>& parts, bool is_zip64 = false);

}  // namespace calotype
