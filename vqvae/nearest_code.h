#pragma once

#include <ATen/core/Tensor.h>

namespace calotype {

/// For each row of `vectors` [M,D] the row of `codebook` [K,D] at the smallest
/// Euclidean distance: int64 [M]; the first of equals. Exact: what products of
/// floats leave undecided is computed from differences in double
/// (nn/comparable_rows.h), however far from zero the codes lie. Runs in blocks,
/// so that memory is that of the codebook in double and a few MiB whatever M
/// and K. Records no gradient. Throws ShapeError, and NumericError if a number
/// of either is not finite.
at::Tensor nearest_codes(const at::Tensor& vectors, const at::Tensor& codebook);

/// The same by LibTorch's operations, from differences in double, for other
/// devices than the CPU: K numbers a vector of a block. Looks at no arguments.
at::Tensor nearest_by_operations(const at::Tensor& vectors,
                                 const at::Tensor& codebook);

}  // namespace calotype
