#include "models/round_trip.h"

#include <fmt/format.h>

#include <torch/types.h>

#include "core/error.h"
#include "core/profile.h"
#include "nn/padding.h"

namespace calotype {

namespace {

/// Images on the device, padded to what the codec takes.
at::Tensor fit(const LatentCodec& codec, const at::Tensor& images,
               c10::Device device) {
  const auto padded = pad_to_multiple(images.to(device), codec.downsample());
  if (const auto size = codec.fixed_size();
      size && (padded.size(2) != *size || padded.size(3) != *size))
    throw ConfigError(fmt::format(
        "codec: takes images of {}x{} alone, got {}x{}; say --size {}", *size,
        *size, images.size(2), images.size(3), *size));
  return padded;
}

}  // namespace

LatentGrid encode_images(LatentCodec& codec, const at::Tensor& images,
                         c10::Device device) {
  const ProfileZone zone("encode", ZoneKind::kNetwork);
  return codec.encode(fit(codec, images, device));
}

at::Tensor decode_images(LatentCodec& codec, const at::Tensor& latent,
                         int64_t height, int64_t width) {
  const ProfileZone zone("decode", ZoneKind::kNetwork);
  return crop_to(codec.decode(latent), height, width).to(torch::kCPU);
}

at::Tensor tokenize_images(LatentCodec& codec, Tokenizer& tokenizer,
                           const at::Tensor& images, c10::Device device) {
  const ProfileZone zone("encode", ZoneKind::kNetwork);
  return tokenizer.tokenize(fit(codec, images, device)).to(torch::kCPU);
}

at::Tensor detokenize_images(Tokenizer& tokenizer, const at::Tensor& tokens,
                             int64_t height, int64_t width,
                             c10::Device device) {
  const ProfileZone zone("decode", ZoneKind::kNetwork);
  return crop_to(tokenizer.detokenize(tokens.to(device)), height, width)
      .to(torch::kCPU);
}

at::Tensor round_trip(LatentCodec& codec, const at::Tensor& images,
                      c10::Device device, at::ScalarType dtype) {
  const auto latent =
      encode_images(codec, images, device).mean.to(dtype).to(torch::kFloat);
  return decode_images(codec, latent, images.size(2), images.size(3));
}

}  // namespace calotype
