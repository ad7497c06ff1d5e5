#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "images/image_io.h"

// Pixels as the networks see them.
namespace calotype {

void copy_to_planes(const Image& image, float* planes) {
  const int64_t num_pixels = image.height * image.width;
  for (int64_t c = 0; c < image.channels; ++c, planes += num_pixels) {
    const uint8_t* at = image.pixels.data() + c;
    for (int64_t i = 0; i < num_pixels; ++i, at += image.channels)
      planes[i] = float(*at) / 127.5f - 1.0f;
  }
}

at::Tensor to_tensor(const Image& image) {
  auto tensor =
      at::empty({image.channels, image.height, image.width}, at::kFloat);
  copy_to_planes(image, tensor.data_ptr<float>());
  return tensor;
}

Image to_image(const at::Tensor& pixels) {
  check_shape("to_image", "pixels", pixels, {-1, -1, -1});
  const int64_t channels = pixels.size(0);
  if (channels != 1 && channels != 3)
    check_shape("to_image", "pixels", pixels, {3, -1, -1});
  const auto bytes = (pixels.detach().to(at::kCPU, at::kFloat) / 2 + 0.5)
                         .clamp(0, 1)
                         .mul(255)
                         .round()
                         .nan_to_num(0)
                         .to(at::kByte)
                         .permute({1, 2, 0})
                         .contiguous();  // [H,W,C]
  const auto* data = bytes.data_ptr<uint8_t>();
  return {
      pixels.size(1), pixels.size(2), channels, {data, data + bytes.numel()}};
}

}  // namespace calotype
