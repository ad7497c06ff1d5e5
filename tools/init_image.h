#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>

#include "diffusion/initial_latents.h"
#include "diffusion/latent_space.h"
#include "images/image_io.h"
#include "models/codec.h"

namespace calotype {

/// An image to start from, encoded, and the part of it that is drawn anew.
struct InitImage {
  InitialLatents latents;
  at::Tensor pixels;  // [1,C,H,W] in [-1,1]
  at::Tensor mask;    // [1,1,H,W], 1 where drawn anew; undefined: everywhere

  /// Decoded `images` [N,C,H,W] inside of the mask, the image itself outside.
  at::Tensor paste(const at::Tensor& images) const;
};

/// Reads `image`, and `mask` if it is not empty, as the model's latents need
/// them: resized and cropped to the square. White of the mask, in the smallest
/// part of a cell, draws the cell anew. Throws ConfigError for a mask of
/// another size than the image, or without white, and for an image that fits no
/// grid of the model's; DataError if a file is no image.
InitImage read_init_image(const std::filesystem::path& image,
                          const std::filesystem::path& mask,
                          const ImageLimits& limits, const LatentSpace& space,
                          const LoadedCodec& codec, c10::Device device);

}  // namespace calotype
