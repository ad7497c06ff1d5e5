#pragma once

#include <ATen/core/Tensor.h>

namespace calotype {

/// Rows [M,D] at length 1; a row of zeros stays.
at::Tensor unit_rows(const at::Tensor& vectors);

/// Throws NumericError, in the encoder's name, if a number is not finite.
void expect_finite(const at::Tensor& vectors);

}  // namespace calotype
