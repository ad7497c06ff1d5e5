#pragma once

#include "vqvae/lookup_free.h"

namespace calotype {

/// Vectors on the unit sphere, codes at the corners of the cube inside it,
/// (+-1/sqrt(D), ...) (arXiv:2406.07548, section 4.1); otherwise as LookupFree.
class BinarySpherical : public LookupFree {
 public:
  BinarySpherical(const QuantizerConfig& config, int64_t dim);

 protected:
  at::Tensor prepare(const at::Tensor& vectors) const override;
};

}  // namespace calotype
