#pragma once

#include <ATen/core/Tensor.h>

namespace calotype {

/// What torch::conv_transpose2d with stride 2 and padding 1 answers for a
/// kernel of 4x4: [N,C,H,W] by weights [C,D,4,4] and a bias [D] gives
/// [N,D,2H,2W].
///
/// LibTorch's CPU code for it multiplies image by image and scatters the
/// products. Each of the four places that a pixel becomes sees 2x2 pixels, so
/// that one convolution of that size to 4 D channels, sorted by places, is the
/// same sum of as many products (arXiv:1609.05158, section 3.2).
at::Tensor doubling_conv(const at::Tensor& x, const at::Tensor& weight,
                         const at::Tensor& bias);

}  // namespace calotype
