#pragma once

#include <torch/utils.h>

#include <filesystem>
#include <memory>

#include "models/codec.h"
#include "vae/autoencoder.h"

namespace calotype {

/// A variational codec of grey 8x8 images, with first weights, whose code has
/// `numbers` numbers.
inline LoadedCodec small_codec(int64_t numbers) {
  torch::manual_seed(3);
  CalotypeAutoencoder model(
      CalotypeAutoencoderConfig{.sample_size = 8,
                                .hidden = {16},
                                .latent_channels = numbers,
                                .variational = true});
  model->eval();
  return {.codec = model.ptr(),
          .path = "small",
          .class_name = CalotypeAutoencoderImpl::kClassName,
          .sha256 = "0123",
          .config = Json::object()};
}

}  // namespace calotype
