#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/preview_map.h"

namespace calotype {

/// What latents [N,D,h,w] show, one pixel to a cell, without their decoder:
/// [N,C,h,w] in [-1,1], where the latents are. `matrix` [C][D] and `bias` [C]
/// as in PreviewMap. Throws ShapeError if they do not fit the latents.
at::Tensor latent_preview(const at::Tensor& latents,
                          const std::vector<std::vector<double>>& matrix,
                          const std::vector<double>& bias);

/// Finds the map by least squares. It keeps sums over the cells alone, in fp64,
/// so that memory does not grow with the number of images.
class PreviewFit {
 public:
  /// `latents`: [N,D,h,w]; `pixels`: [N,C,h,w], the mean of each cell's pixels.
  /// C and D are those of the first call. Throws ShapeError.
  void add(const at::Tensor& latents, const at::Tensor& pixels);

  /// Images added so far.
  int64_t num_images() const { return num_images_; }

  /// Ridge regression on channels of unit variance, with a penalty so small
  /// that it only decides between maps that fit alike. What does not vary gets
  /// no weight. Needs an image.
  PreviewMap fit() const;

 private:
  // The first image's mean [D], from which latents are counted: a mean far
  // beyond the deviation would cost the sums their digits.
  at::Tensor origin_;
  at::Tensor inputs_;   // [D+1,D+1] sum of u u', u = (latent - origin, 1)
  at::Tensor cross_;    // [D+1,C] sum of u pixel'
  at::Tensor squares_;  // [C] sum of pixel^2
  int64_t num_images_ = 0;
};

}  // namespace calotype
