#pragma once

#include <optional>
#include <string>

#include "core/config.h"

namespace calotype {

/// What stands at `path` ("training.steps"; empty: the values themselves) in
/// two JSON values; null where nothing does.
struct JsonDifference {
  std::string path;
  Json before, now;
};

/// The first of them, objects key by key: in the order of `before`, then what
/// only `now` has. A key that is missing is as good as null. Keys that
/// `ignored` names may differ.
std::optional<JsonDifference> json_difference(
    const Json& before, const Json& now,
    bool (*ignored)(const std::string& key) = nullptr);

/// "training.steps: 100 before, 200 now" of the first difference, "nothing" for
/// null; empty if there is none.
std::string difference_text(const Json& before, const Json& now);

}  // namespace calotype
