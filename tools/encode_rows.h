#pragma once

#include <c10/core/Device.h>

#include "datasets/loader.h"
#include "models/codec.h"
#include "store/latent_store.h"

namespace calotype {

/// What a store `info` keeps of a batch of images: the codec's latents of them
/// (and of their mirror images, with info.flips) or its tokens, on the CPU.
/// Those that are not finite in bf16 are computed in fp32 and named. Throws
/// NumericError that names the images.
StoreRows encode_rows(const LoadedCodec& codec, const ImageBatch& batch,
                      const StoreInfo& info, c10::Device device);

}  // namespace calotype
