#include "store/store_compatible.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "core/error.h"
#include "store/store_info.h"

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
  if (codec_sha256(got) != codec_sha256(wanted))
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

void expect_same_maker(const StoreReader& a, const StoreReader& b) {
  const auto first = codec_sha256(a.info()), second = codec_sha256(b.info());
  if (!first.is_null() && !second.is_null() && first != second)
    throw ConfigError(fmt::format(
        "{}: does not go with {}: its rows were made by {}, those by {}",
        b.path().string(), a.path().string(), codec_text(b.info()),
        codec_text(a.info())));
}

}  // namespace calotype
