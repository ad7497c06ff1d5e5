#include "vqvae/binary_spherical.h"

#include <torch/torch.h>

#include <cmath>

namespace calotype {

BinarySpherical::BinarySpherical(const QuantizerConfig& config, int64_t dim)
    : LookupFree(config, dim, 1 / std::sqrt(double(dim))) {}

at::Tensor BinarySpherical::prepare(const at::Tensor& vectors) const {
  constexpr double kTiny = 1e-12;
  return vectors / vectors.norm(2, {1}, /*keepdim=*/true).clamp_min(kTiny);
}

}  // namespace calotype
