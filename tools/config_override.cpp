#include "tools/config_override.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace calotype {

void override_key(Json& config, const std::string& text) {
  const auto equals = std::min(text.find('='), text.size());
  auto* at = &config;
  for (size_t begin = 0; begin <= equals;) {
    const auto end = std::min(text.find('.', begin), equals);
    const auto key = text.substr(begin, end - begin);
    if (equals == text.size() || key.empty())
      throw ConfigError(
          fmt::format("--set: expected key.key=value, got {}", text));
    if (!at->is_object() && !at->is_null())
      throw ConfigError(fmt::format(
          "--set {}: {} is {}, which has no keys", text,
          begin == 0 ? "the configuration" : text.substr(0, begin - 1),
          config_detail::shown(*at)));
    at = &(*at)[key];
    begin = end + 1;
  }
  *at = json_or_text(text.substr(equals + 1));
}

}  // namespace calotype
