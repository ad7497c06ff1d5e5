#pragma once

#include <torch/nn/modules/container/modulelist.h>

#include "denoisers/unet2d_model.h"

namespace calotype {

/// Throws ConfigError, naming the blocks that there are, for a type of block
/// that there is not: down DownBlock2D, AttnDownBlock2D,
/// ResnetDownsampleBlock2D, SkipDownBlock2D, AttnSkipDownBlock2D, KDownBlock2D,
/// and up their counterparts. (Encoder and decoder blocks neither leave nor
/// take skips; no UNet2DModel can have them, in diffusers neither.)
void check_unet_block_types(const UNet2DModelConfig& config);

/// Groups of the norms that norm_num_groups decides: null is
/// min(channels / 4, 32).
int64_t unet_groups(const UNet2DModelConfig& config, int64_t channels);

struct UNetLevels {
  torch::nn::ModuleList down;  // of UNetLevel, in the order of their use
  MidBlock mid{nullptr};       // null if mid_block_type is
  torch::nn::ModuleList up;    // of UNetLevel
};

/// Throws ConfigError if the levels cannot be put together, because one takes
/// what another does not leave.
UNetLevels make_unet_levels(const UNet2DModelConfig& config,
                            int64_t embedding_dim);

}  // namespace calotype
