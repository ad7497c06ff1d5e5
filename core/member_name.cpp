#include "core/member_name.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/printable.h"

namespace calotype {
namespace {

constexpr size_t kLongestName = 4096;  // PATH_MAX

[[noreturn]] void refuse(const std::string& where, std::string_view stored,
                         const char* why) {
  constexpr size_t kShown = 200;
  throw DataError(fmt::format("{}: member \"{}\" {}", where,
                              printable(stored.substr(0, kShown)), why));
}

}  // namespace

std::string member_name(const std::string& where, std::string_view stored) {
  if (stored.size() > kLongestName)
    refuse(where, stored, "has a name of more than 4096 bytes");
  if (stored.find('\0') != std::string_view::npos)
    refuse(where, stored, "has a zero byte in its name");
  if (stored.starts_with('/')) refuse(where, stored, "has an absolute path");
  std::string name;
  for (size_t at = 0; at < stored.size();) {
    const auto slash = std::min(stored.find('/', at), stored.size());
    const auto part = stored.substr(at, slash - at);
    at = slash + 1;
    if (part == "..") refuse(where, stored, "leaves the archive by \"..\"");
    if (part.empty() || part == ".") continue;
    if (!name.empty()) name += '/';
    name += part;
  }
  if (name.empty()) refuse(where, stored, "has no name");
  return name;
}

}  // namespace calotype
