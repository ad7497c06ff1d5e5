#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

// What comparisons of every row of one set with every row of another share.
namespace calotype {

/// `rows`: [N,F] of any type and device -> double on the CPU. Throws
/// ShapeError unless they are `width` wide (-1: any width),
/// DataError for a value that is not finite.
at::Tensor feature_rows(const char* where, const char* what,
                        const at::Tensor& rows, int64_t width = -1);

}  // namespace calotype
