#include "tools/config_override.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace calotype {
namespace {

/// JSON in which nothing is out of range; any other text is taken as it is.
Json value_of(const std::string& text) {
  try {
    return parse_json(text, "--set");
  } catch (const DataError&) {
    return text;
  }
}

}  // namespace

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
  *at = value_of(text.substr(equals + 1));
}

}  // namespace calotype
