#include "vqvae/cosine_codebook.h"

#include "vqvae/vectors.h"

namespace calotype {

CosineCodebook::CosineCodebook(const QuantizerConfig& config, int64_t dim)
    : EmaCodebook(config, dim) {
  set_codes(codes());
}

at::Tensor CosineCodebook::prepare(const at::Tensor& vectors) const {
  return unit_rows(vectors);
}

}  // namespace calotype
