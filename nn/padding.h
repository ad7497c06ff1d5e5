#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace calotype {

/// Images [N,C,H,W] with rows added below and columns at the right until H and
/// W are multiples of `multiple`: mirrored without repeating the edge, or the
/// edge repeated where the image is too small to mirror.
at::Tensor pad_to_multiple(const at::Tensor& images, int64_t multiple);

/// Cuts off what was padded: the upper left `height` x `width` pixels.
at::Tensor crop_to(const at::Tensor& images, int64_t height, int64_t width);

}  // namespace calotype
