#include "tools/round_trip.h"

#include <torch/torch.h>

#include "core/error.h"
#include "nn/padding.h"

namespace calotype {

LatentGrid encode_images(LatentCodec& codec, const at::Tensor& images,
                         c10::Device device) {
  const auto padded = pad_to_multiple(images.to(device), codec.downsample());
  if (const auto size = codec.fixed_size();
      size && (padded.size(2) != *size || padded.size(3) != *size))
    throw ConfigError(fmt::format(
        "codec: takes images of {}x{} alone, got {}x{}; say --size {}", *size,
        *size, images.size(2), images.size(3), *size));
  return codec.encode(padded);
}

at::Tensor decode_images(LatentCodec& codec, const at::Tensor& latent,
                         int64_t height, int64_t width) {
  return codec.decode(latent)
      .narrow(2, 0, height)
      .narrow(3, 0, width)
      .to(torch::kCPU);
}

at::Tensor round_trip(LatentCodec& codec, const at::Tensor& images,
                      c10::Device device, at::ScalarType dtype) {
  const auto latent =
      encode_images(codec, images, device).mean.to(dtype).to(torch::kFloat);
  return decode_images(codec, latent, images.size(2), images.size(3));
}

}  // namespace calotype
