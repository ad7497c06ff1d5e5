#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "nn/comparable_rows.h"

namespace calotype {

/// Squared distance of each row to its 1st, 2nd, ... k-th nearest other row,
/// double [N,k], exact. k < N.
at::Tensor neighbour_distances(const ComparableRows& rows, int64_t k);

}  // namespace calotype
