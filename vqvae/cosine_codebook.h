#pragma once

#include "vqvae/ema_codebook.h"

namespace calotype {

/// Codes and vectors of length 1, so that the nearest is the one at the
/// smallest angle (arXiv:2110.04627, section 3.2), with running means.
class CosineCodebook : public EmaCodebook {
 public:
  CosineCodebook(const QuantizerConfig& config, int64_t dim);

 protected:
  at::Tensor prepare(const at::Tensor& vectors) const override;
};

}  // namespace calotype
