#include "models/convert/converted.h"

#include <fmt/format.h>

namespace calotype {

void refuse_variant(const ConvertContext& context, const std::string& what) {
  throw NoClassHere(fmt::format("{}: {} {}: no class here is such a model",
                                context.where, context.kind.what, what));
}

void expect_agrees(const ConvertContext& context, const std::string& key,
                   const std::optional<int64_t>& configured, int64_t in_file) {
  if (!configured || *configured == in_file) return;
  throw ConfigError(fmt::format(
      "{}: {} is {}, but {} holds {}; name the model's own configuration with "
      "--config",
      context.project_where(), key, *configured, context.where, in_file));
}

}  // namespace calotype
