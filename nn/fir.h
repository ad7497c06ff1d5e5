#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

// Resampling of grids [N,C,H,W] by the filter (1,3,3,1), which leaves no
// aliases, on both axes (StyleGAN2, arXiv:1912.04958, appendix B).
namespace calotype {

/// What lies outside of a grid: zeros (diffusers' FirDownsample2D and
/// FirUpsample2D) or its mirror image (KDownsample2D and KUpsample2D), which
/// needs grids of at least 2x2.
enum class FirEdge { kZeros, kMirror };

/// -> [N,C,floor(H/2),floor(W/2)].
at::Tensor fir_downsample(const at::Tensor& x, FirEdge edge);

/// -> [N,C,height,width], which are 2H or 2H + 1 and 2W or 2W + 1.
at::Tensor fir_upsample(const at::Tensor& x, int64_t height, int64_t width,
                        FirEdge edge);

}  // namespace calotype
