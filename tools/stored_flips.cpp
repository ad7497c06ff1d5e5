#include "tools/stored_flips.h"

#include <fmt/format.h>

#include "core/error.h"

namespace calotype {
namespace {

void check_flips(const Json& flips) {
  if (flips != "auto" && !flips.is_boolean())
    throw ConfigError(fmt::format(
        "config: data.flips must be \"auto\", true or false, got {}",
        flips.dump()));
}

}  // namespace

bool resolve_flips(Json& flips, const StoreReader& store,
                   const std::string& where) {
  check_flips(flips);
  const bool has_flips = store.info().flips;
  if (flips == true && !has_flips)
    throw ConfigError(where +
                      ": has no latents of mirror images, which data.flips "
                      "asks for; encode with --flips");
  if (flips == "auto") flips = has_flips;
  return flips.get<bool>();
}

void expect_no_flips(Json& flips) {
  check_flips(flips);
  if (flips == true)
    throw ConfigError(
        "config: data.flips is of stored latents; images are mirrored by "
        "data.preprocessing.flip");
  flips = false;
}

}  // namespace calotype
