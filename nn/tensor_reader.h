#pragma once

#include <ATen/core/Tensor.h>

#include "nn/stored_tensor.h"

namespace calotype {

/// Its numbers, in row-major order and memory of their own. Those of eight bits
/// come as floats, which hold each of them exactly and which every LibTorch
/// has.
at::Tensor read_tensor(const StoredTensor& stored);

/// What read_tensor gives them in.
at::ScalarType scalar_type(ElementType type);

}  // namespace calotype
