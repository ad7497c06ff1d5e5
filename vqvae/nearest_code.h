#pragma once

#include <ATen/core/Tensor.h>

namespace calotype {

/// For each row of `vectors` [M,D] the row of `codebook` [K,D] at the smallest
/// Euclidean distance: int64 [M]; the first of equals. Runs in blocks, so that
/// memory is a few MiB whatever M and K. Records no gradient. Throws
/// ShapeError, and NumericError if a vector is not finite.
at::Tensor nearest_codes(const at::Tensor& vectors, const at::Tensor& codebook);

}  // namespace calotype
