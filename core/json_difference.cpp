#include "core/json_difference.h"

#include <fmt/format.h>

namespace calotype {
namespace {

Json value_at(const Json& object, const std::string& key) {
  const auto found = object.find(key);
  return found == object.end() ? Json() : *found;
}

std::string text_of(const Json& value) {
  return value.is_null() ? "nothing" : json_text(value);
}

}  // namespace

std::optional<JsonDifference> json_difference(
    const Json& before, const Json& now,
    bool (*ignored)(const std::string& key)) {
  if (before == now) return {};
  if (!before.is_object() || !now.is_object())
    return JsonDifference{"", before, now};
  for (const auto* keys : {&before, &now})
    for (const auto& item : keys->items()) {
      const auto& key = item.key();
      if (ignored && ignored(key)) continue;
      if (auto found = json_difference(value_at(before, key),
                                       value_at(now, key), ignored)) {
        found->path = found->path.empty() ? key : key + "." + found->path;
        return found;
      }
    }
  return {};  // the same in another order
}

std::string difference_text(const Json& before, const Json& now) {
  const auto found = json_difference(before, now);
  return found ? fmt::format("{}: {} before, {} now", found->path,
                             text_of(found->before), text_of(found->now))
               : "";
}

}  // namespace calotype
