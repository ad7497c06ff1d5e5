#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include "nn/latent_codec.h"

namespace calotype {

/// Encodes images [N,C,H,W] of any size and decodes the means, rounded to
/// `dtype` as a store would hold them. Returns the same shape on the CPU.
at::Tensor round_trip(LatentCodec& codec, const at::Tensor& images,
                      c10::Device device, at::ScalarType dtype = at::kFloat);

}  // namespace calotype
