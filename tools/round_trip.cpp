#include "tools/round_trip.h"

#include <torch/torch.h>

#include "nn/padding.h"

namespace calotype {

at::Tensor round_trip(LatentCodec& codec, const at::Tensor& images,
                      c10::Device device, at::ScalarType dtype) {
  const auto padded = pad_to_multiple(images.to(device), codec.downsample());
  const auto latent = codec.encode(padded).mean.to(dtype).to(torch::kFloat);
  return codec.decode(latent)
      .narrow(2, 0, images.size(2))
      .narrow(3, 0, images.size(3))
      .to(torch::kCPU);
}

}  // namespace calotype
