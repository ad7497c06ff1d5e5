#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include "nn/latent_codec.h"
#include "nn/tokenizer.h"

namespace calotype {

/// Encodes images [N,C,H,W] of any size that the codec takes, padded to its
/// multiple. Throws ConfigError for a size that it does not take.
LatentGrid encode_images(LatentCodec& codec, const at::Tensor& images,
                         c10::Device device);

/// Decodes and cuts off what was padded: [N,C,height,width] on the CPU.
at::Tensor decode_images(LatentCodec& codec, const at::Tensor& latent,
                         int64_t height, int64_t width);

/// Both: the means, rounded to `dtype` as a store would hold them.
at::Tensor round_trip(LatentCodec& codec, const at::Tensor& images,
                      c10::Device device, at::ScalarType dtype = at::kFloat);

/// The same for tokens: int64 [N,L,h,w] on the CPU, and back to images. The
/// tokenizer is `codec`.
at::Tensor tokenize_images(LatentCodec& codec, Tokenizer& tokenizer,
                           const at::Tensor& images, c10::Device device);
at::Tensor detokenize_images(Tokenizer& tokenizer, const at::Tensor& tokens,
                             int64_t height, int64_t width, c10::Device device);

}  // namespace calotype
