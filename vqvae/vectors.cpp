#include "vqvae/vectors.h"

#include "core/error.h"

namespace calotype {

at::Tensor unit_rows(const at::Tensor& vectors) {
  constexpr double kTiny = 1e-12;
  return vectors / vectors.norm(2, {1}, /*keepdim=*/true).clamp_min(kTiny);
}

void expect_finite(const at::Tensor& vectors) {
  if (!vectors.isfinite().all().item<bool>())
    throw NumericError(
        "quantizer: the encoder put out a number that is not finite");
}

}  // namespace calotype
