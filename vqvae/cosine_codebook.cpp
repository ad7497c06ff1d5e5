#include "vqvae/cosine_codebook.h"

#include <torch/torch.h>

namespace calotype {

CosineCodebook::CosineCodebook(const QuantizerConfig& config, int64_t dim)
    : EmaCodebook(config, dim) {
  set_codes(codes());
}

at::Tensor CosineCodebook::prepare(const at::Tensor& vectors) const {
  constexpr double kTiny = 1e-12;
  return vectors / vectors.norm(2, {1}, /*keepdim=*/true).clamp_min(kTiny);
}

}  // namespace calotype
