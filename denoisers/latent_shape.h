#pragma once

#include <cstdint>
#include <vector>

#include "core/config.h"

namespace calotype {

/// What the latents to be learned decide of a network.
struct LatentShape {
  std::vector<int64_t> grid_shape;  // D, h, w
  int64_t num_classes = 0;          // 0: without labels
  bool learned_variance = false;    // then twice the channels are answered
};

/// Sets a key that is not given.
void set_default(Json& keys, const char* key, const Json& value);

/// Sets in_channels and out_channels where they are not given.
void fit_channels(Json& keys, const LatentShape& latents);

}  // namespace calotype
