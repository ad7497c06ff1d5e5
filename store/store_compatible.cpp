#include "store/store_compatible.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "core/error.h"

namespace calotype {

void expect_compatible(const StoreReader& training, const StoreReader& other) {
  const auto& wanted = training.info();
  const auto& got = other.info();
  const auto fail = [&](const char* what, const auto& before,
                        const auto& after) {
    throw ConfigError(fmt::format(
        "{}: does not go with {}: {} is {}, expected {}", other.path().string(),
        training.path().string(), what, after, before));
  };
  if (got.kind != wanted.kind) fail("kind", wanted.kind, got.kind);
  if (got.codec.sha256() != wanted.codec.sha256())
    fail("the codec", wanted.codec.short_text(), got.codec.short_text());
  if (got.codec.num_codes() != wanted.codec.num_codes())
    fail("num_codes", wanted.codec.num_codes(), got.codec.num_codes());
  for (const auto& shape : got.grid_shapes)
    if (std::ranges::find(wanted.grid_shapes, shape) ==
        wanted.grid_shapes.end()) {
      std::string known;
      for (const auto& each : wanted.grid_shapes)
        known += (known.empty() ? "" : " or ") + shape_text(each);
      fail("a grid", known, shape_text(shape));
    }
}

void expect_same_maker(const StoreReader& a, const StoreReader& b) {
  const auto &first = a.info().codec, &second = b.info().codec;
  if (!first.sha256().empty() && !second.sha256().empty() &&
      first.sha256() != second.sha256())
    throw ConfigError(fmt::format(
        "{}: does not go with {}: its rows were made by {}, those by {}",
        b.path().string(), a.path().string(), second.short_text(),
        first.short_text()));
}

}  // namespace calotype
