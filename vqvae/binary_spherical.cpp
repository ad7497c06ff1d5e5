#include "vqvae/binary_spherical.h"

#include <cmath>

#include "vqvae/vectors.h"

namespace calotype {

BinarySpherical::BinarySpherical(const QuantizerConfig& config, int64_t dim)
    : LookupFree(config, dim, 1 / std::sqrt(double(dim))) {}

at::Tensor BinarySpherical::prepare(const at::Tensor& vectors) const {
  return unit_rows(vectors);
}

}  // namespace calotype
