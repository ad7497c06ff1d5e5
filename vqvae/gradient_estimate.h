#pragma once

#include <ATen/core/Tensor.h>

#include <string>

// Rounding to a code has no gradient; these stand in for it.
namespace calotype {

enum class GradientEstimate {
  kStraightThrough,  // the code's gradient is the input's (arXiv:1711.00937,
                     // section 3.2)
  kRotation,         // turned and scaled as the input is to the code
                     // (arXiv:2410.06424, section 4.2)
};

/// "straight_through" or "rotation". Throws ConfigError.
GradientEstimate parse_gradient_estimate(const std::string& name);

/// `codes` [M,D] with a gradient towards `inputs` [M,D]. The codes themselves
/// get none. Rotation: with u and q the unit vectors of input x and code c, the
/// output is |c|/|x| R x, where R turns u to q in their plane and R and the
/// ratio count as constants; where x or c is 0 it is straight-through.
at::Tensor with_gradient(GradientEstimate estimate, const at::Tensor& inputs,
                         const at::Tensor& codes);

}  // namespace calotype
