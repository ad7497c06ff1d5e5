#pragma once

#include "core/config.h"

namespace calotype {

/// diffusers' sample_size says of what size the images or grids of the training
/// were. Throws ConfigError unless it is null, a number or [height, width].
void check_sample_size(const char* where, const Json& size);

/// The same as one number, for models whose numbers depend on it: [32, 32] is
/// 32. Throws ConfigError where height and width differ.
Json square_sample_size(const char* where, const Json& size);

}  // namespace calotype
