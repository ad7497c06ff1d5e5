#pragma once

#include <cstdint>

namespace calotype {

/// The softmax of `count` scores, in their place. Their sum is a double: in
/// float 16,384 equal scores add up to 1e-4 too little or too much, and so do
/// all their weights. All are NaN if one is NaN
/// or positive infinity.
void softmax_row(float* scores, int64_t count);

}  // namespace calotype
