#pragma once

#include <torch/nn/module.h>

#include "nn/safetensors.h"

namespace calotype {

/// Until 2022 diffusers named the projections of an attention query, key, value
/// and proj_attn, and in its first versions kept them as 1x1 convolutions.
/// Gives those that `module` wants the names and shapes of today; returns how
/// many had others.
int modernise_attention(const torch::nn::Module& module, TensorFile& file);

}  // namespace calotype
