#pragma once

#include <cstdint>
#include <vector>

namespace calotype {

/// A linear look at latents that needs no decoder: in each cell, the pixel is
/// matrix * latent + bias, in [-1,1]. Fitted by nn/latent_preview.h.
struct PreviewMap {
  std::vector<std::vector<double>> matrix;  // [C][D]
  std::vector<double> bias;                 // [C]
  // The share of the pixels' variance that it explains, over the images and
  // the cells that it was fitted to; 1 if nothing varies there.
  double r2 = 0;
  int64_t num_images = 0;  // that it was fitted to
};

template <class Visitor>
void visit_fields(PreviewMap& c, Visitor&& visit) {
  visit("matrix", c.matrix);
  visit("bias", c.bias);
  visit("r2", c.r2);
  visit("num_images", c.num_images);
}

}  // namespace calotype
