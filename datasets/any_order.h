#pragma once

#include "datasets/image_source.h"

namespace calotype {

/// Throws ConfigError, which says what to do, for images that can be read in
/// their order alone (see ImageSource::is_in_order) and are to be shuffled.
void expect_any_order(const ImageSource& source);

}  // namespace calotype
