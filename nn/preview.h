#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace calotype {

/// Columns of the grid that shows how far training is.
constexpr int64_t kPreviewColumns = 8;

/// Images of equal shapes [N,C,H,W] in one stack that reads as rows of eight:
/// the first eight of each of `sets` in turn, then the next eight. What is left
/// of N is not shown; undefined if that is all.
at::Tensor interleave_rows(const std::vector<at::Tensor>& sets);

}  // namespace calotype
