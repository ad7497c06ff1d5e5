#include "datasets/any_order.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/printable.h"

namespace calotype {

void expect_any_order(const ImageSource& source) {
  if (!source.is_in_order()) return;
  const auto spec = printable(source.spec());
  throw ConfigError(fmt::format(
      "{}: is compressed, and its images can be read in the archive's order "
      "alone; to shuffle them, say --cache (or cached:{}), which keeps a plain "
      "copy in the user's cache folder",
      spec, spec));
}

}  // namespace calotype
