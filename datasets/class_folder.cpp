#include "datasets/class_folder.h"

#include <fmt/format.h>

#include <cctype>

#include "core/hash.h"
#include "core/printable.h"

namespace calotype {
namespace {

constexpr size_t kLongestName = 255;  // bytes, of a file system
constexpr const char* kNoName = "%00";

bool is_hex(std::string_view text, size_t at) {
  return at < text.size() &&
         std::isxdigit(static_cast<unsigned char>(text[at]));
}

/// Whether "%" and two hex digits stand at `at`.
bool is_escape_at(std::string_view text, size_t at) {
  return text[at] == '%' && is_hex(text, at + 1) && is_hex(text, at + 2);
}

std::string unescaped(std::string_view text) {
  std::string name;
  for (size_t at = 0; at < text.size(); ++at) {
    if (is_escape_at(text, at)) {
      name += char(std::stoi(std::string(text.substr(at + 1, 2)), nullptr, 16));
      at += 2;
    } else {
      name += text[at];
    }
  }
  return name;
}

}  // namespace

std::string shortened_name(const std::string& name, const std::string& ending) {
  if (name.size() <= kLongestName) return name;
  const auto behind = fmt::format("~{}{}", hex64(xxh64(name)), ending);
  auto size = kLongestName - behind.size();
  // Not inside of a character of UTF-8.
  while (size > 0 && (static_cast<unsigned char>(name[size]) & 0xc0) == 0x80)
    --size;
  return name.substr(0, size) + behind;
}

std::string class_folder(std::string_view class_name) {
  if (class_name.empty()) return kNoName;
  const auto name = raw_name(class_name);
  // What was a folder's name may hold them; a model's class that has not been
  // one would meet such a folder.
  const bool keeps_controls = name != class_name;
  std::string folder;
  for (size_t at = 0; at < name.size(); ++at) {
    const bool is_hiding = at == 0 && name[at] == '.';
    const bool is_control = std::iscntrl(static_cast<unsigned char>(name[at]));
    if (name[at] == '/' || is_hiding || (is_control && !keeps_controls) ||
        is_escape_at(name, at))
      folder += fmt::format("%{:02X}", static_cast<unsigned char>(name[at]));
    else
      folder += name[at];
  }
  return shortened_name(folder);
}

std::string class_of_folder(std::string_view folder) {
  if (folder == kNoName) return "";
  const auto name = printable(unescaped(folder));
  return class_folder(name) == folder ? name : printable(folder);
}

}  // namespace calotype
