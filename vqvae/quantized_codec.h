#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "nn/latent_codec.h"
#include "nn/tokenizer.h"
#include "vqvae/quantizer.h"

namespace calotype {

/// Images that went through their codes.
struct CodedImages {
  at::Tensor images;   // [N,C,H,W]
  at::Tensor indices;  // [N,L,h,w] int64 in [0,K)
  at::Tensor loss;     // scalar: what the quantizers ask for
  std::vector<std::pair<std::string, at::Tensor>> parts;  // scalars, for show
};

/// An autoencoder with one or more quantizers in its middle, to be trained.
class QuantizedCodec : public LatentCodec, public Tokenizer {
 public:
  /// With `training`, codebooks learn; see Quantizer::quantize.
  virtual CodedImages reconstruct(const at::Tensor& images,
                                  const QuantizerStep* training) = 0;

  /// Of the quantizers, see Quantizer::training_state.
  virtual std::vector<std::pair<std::string, at::Tensor>> training_state() = 0;
};

}  // namespace calotype
