#include "datasets/store_compatible.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "core/error.h"

namespace calotype {
namespace {

constexpr size_t kShownDigits = 12;  // of a SHA-256

std::string codec_text(const StoreInfo& info) {
  const auto text = [&](const char* key) {
    const auto found = info.codec.find(key);
    return found != info.codec.end() && found->is_string()
               ? found->get<std::string>()
               : std::string("nothing known");
  };
  return text("class") + " " + text("sha256").substr(0, kShownDigits);
}

}  // namespace

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
  if (got.codec.value("sha256", Json()) != wanted.codec.value("sha256", Json()))
    fail("the codec", codec_text(wanted), codec_text(got));
  if (store_num_codes(got) != store_num_codes(wanted))
    fail("num_codes", store_num_codes(wanted), store_num_codes(got));
  for (const auto& shape : got.grid_shapes)
    if (std::ranges::find(wanted.grid_shapes, shape) ==
        wanted.grid_shapes.end()) {
      std::string known;
      for (const auto& each : wanted.grid_shapes)
        known += (known.empty() ? "" : " or ") + shape_text(each);
      fail("a grid", known, shape_text(shape));
    }
}

}  // namespace calotype
