#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/convert/converted.h"
#include "models/convert/source_tensors.h"

namespace calotype {

/// A residual block of the U-Net and the attention behind it, if any.
struct UnetBlock {
  std::string prefix;  // "input_blocks.1."; its parts are 0 and 1
  bool has_attention = false;
};

/// Blocks of one width, and the convolution that leads to the next ones.
struct UnetLevel {
  std::vector<UnetBlock> blocks;
  std::string resampling;  // the name of a convolution; empty: none follows
  int64_t width = 0;
};

/// The way down from the image, and the way up as it runs.
struct UnetShape {
  std::vector<UnetLevel> down, up;
  bool scale_shift = false;  // the time scales and shifts the second norm
};

/// From names and shapes alone. Throws ConfigError for a network that
/// UNet2DModel cannot be.
UnetShape read_unet_shape(const ConvertContext& context,
                          const SourcePart& part);

}  // namespace calotype
