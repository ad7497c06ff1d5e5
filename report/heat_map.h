#pragma once

#include <ATen/core/Tensor.h>

namespace calotype {

/// Colours for values in [0,1], [1,H,W] -> [3,H,W] in [-1,1]: black, red,
/// orange, yellow, white. Brightness grows throughout, so that it also reads
/// without colour.
at::Tensor heat_map(const at::Tensor& values);

}  // namespace calotype
