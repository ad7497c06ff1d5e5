#pragma once

#include <ATen/ATen.h>

#include <cstdint>

#include "tests/models/original_networks.h"

// Open-MAGVIT2's tokenizer, likewise.
namespace calotype::original {

/// Without attention, and with `num_blocks` blocks in the decoder and in the
/// middle, too; the decoder takes codes.
at::Tensor magvit2_encoder(Weights& w, const Autoencoder& c, at::Tensor x,
                           int64_t out);
at::Tensor magvit2_decoder(Weights& w, const Autoencoder& c,
                           const at::Tensor& codes);

}  // namespace calotype::original
