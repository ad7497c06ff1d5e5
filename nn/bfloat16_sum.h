#pragma once

#include <cstdint>

#include "nn/bfloat16.h"

namespace calotype {

/// sum[i] += numbers[i] for i < count, in float: what converting them first
/// would give.
void add_numbers(const Bfloat16* numbers, int64_t count, float* sum);

}  // namespace calotype
