#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "store/latent_store.h"

// The size of images whose latents are of grids that are a little larger.
namespace calotype {

/// [H,W] that `decode` gives every image of a store; empty if they differ, or
/// if the store does not say.
std::vector<int64_t> image_size_of(const StoreReader& store);

/// Decoded images [N,C,H',W'] cut to `image_size`, [H,W] or empty for as they
/// are: what was padded for the codec goes.
at::Tensor cut_to(const at::Tensor& images,
                  const std::vector<int64_t>& image_size);

}  // namespace calotype
