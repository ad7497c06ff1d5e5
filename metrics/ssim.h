#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace calotype {

/// Structural similarity of each image with its reference (Wang et al., "Image
/// Quality Assessment: From Error Visibility to Structural Similarity", 2004,
/// section III.B): a Gaussian window of 11 pixels with sigma 1.5, K1 = 0.01,
/// K2 = 0.03, variances of the window itself (no n/(n-1)), the mean over all
/// windows that lie wholly inside the image and over the channels. It is 1 for
/// equal images. Where a side is shorter than 11 pixels, the window is cut to
/// the largest odd number of pixels that fits both sides.
///
/// `reference`, `reconstruction`: [N,C,H,W] float on the CPU. `data_range`: the
/// difference of the largest and smallest value that a pixel may have. Returns
/// double [N]. Throws ShapeError if the shapes differ or are empty.
at::Tensor ssim(const at::Tensor& reference, const at::Tensor& reconstruction,
                double data_range);

/// The smallest side at which all five scales of multi_scale_ssim hold a whole
/// window: 11 pixels after four halvings.
constexpr int64_t kSmallestMultiScaleSide = 176;

/// Multi-scale structural similarity (Wang, Simoncelli and Bovik, "Multiscale
/// structural similarity for image quality assessment", 2003): five scales,
/// each the mean of 2x2 pixels of the one before (odd sides lose the last row),
/// the terms of contrast and structure at each and that of luminance at the
/// coarsest, to the powers 0.0448, 0.2856, 0.3001, 0.2363, 0.1333; terms below
/// 0 count as 0. Channels and shapes as in ssim(). Throws ShapeError for sides
/// below kSmallestMultiScaleSide too.
at::Tensor multi_scale_ssim(const at::Tensor& reference,
                            const at::Tensor& reconstruction,
                            double data_range);

}  // namespace calotype
