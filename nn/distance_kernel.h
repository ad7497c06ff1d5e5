#pragma once

#include <cstdint>

// The inner loops of comparable_rows.h, without LibTorch so that the compiler
// may vectorise them for the processor at hand.
namespace calotype {

/// |a - b|^2 from the differences of `width` numbers. The same bits for the
/// same pair in either order, wherever the rows lie in memory.
double squared_difference(const double* a, const double* b, int64_t width);

/// The place j of the largest values[j] - offsets[j], the first of equals; 0
/// where none is a number.
int64_t find_largest(const float* values, const float* offsets, int64_t count);

/// Writes the places j, ascending, where values[j] >= bounds[j] + bound to
/// `found`, which holds `count`; returns how many they are. Quick where they
/// are few.
int64_t find_at_least(const float* values, const float* bounds, float bound,
                      int64_t count, int32_t* found);

}  // namespace calotype
