#include "nn/padding.h"

#include <torch/types.h>

namespace calotype {

at::Tensor pad_to_multiple(const at::Tensor& images, int64_t multiple) {
  const auto missing = [&](int64_t size) {
    return (multiple - size % multiple) % multiple;
  };
  const int64_t below = missing(images.size(2)),
                right = missing(images.size(3));
  if (below == 0 && right == 0) return images;
  const bool can_mirror = below < images.size(2) && right < images.size(3);
  return can_mirror ? torch::reflection_pad2d(images, {0, right, 0, below})
                    : torch::replication_pad2d(images, {0, right, 0, below});
}

at::Tensor crop_to(const at::Tensor& images, int64_t height, int64_t width) {
  if (images.size(2) == height && images.size(3) == width) return images;
  return images.narrow(2, 0, height).narrow(3, 0, width);
}

}  // namespace calotype
