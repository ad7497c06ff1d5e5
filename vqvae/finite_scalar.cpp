#include "vqvae/finite_scalar.h"

#include <torch/types.h>

#include "nn/activation.h"
#include "vqvae/vectors.h"

namespace calotype {
namespace {

// Keeps the outermost levels reachable: tanh alone would never get there.
constexpr double kMargin = 1e-3;

}  // namespace

FiniteScalar::FiniteScalar(const std::vector<int64_t>& levels) {
  levels_ = torch::tensor(levels, torch::kLong);
  half_width_ = levels_.div(2, "floor");
  std::vector<int64_t> basis;
  for (const auto level : levels) {
    basis.push_back(num_codes_);
    num_codes_ *= level;
  }
  basis_ = torch::tensor(basis, torch::kLong);
}

Quantized FiniteScalar::quantize(const at::Tensor& vectors,
                                 const QuantizerStep*) {
  expect_finite(vectors);
  const auto levels = levels_.to(vectors.options());
  const auto half_width = half_width_.to(vectors.options());
  const auto reach = (levels - 1) * ((1 + kMargin) / 2);
  // An even number of levels has none in the middle.
  const auto offset = 0.5 * levels.remainder(2).eq(0).to(levels.scalar_type());
  const auto shift = (offset / reach).atanh();
  const auto bounded =
      activate(Activation::kTanh, vectors + shift) * reach - offset;
  const auto rounded = bounded + (bounded.round() - bounded).detach();
  const auto steps =
      (rounded.detach() + half_width).round().to(torch::kLong);  // from 0
  return {
      .vectors = rounded / half_width,
      .indices = (steps * basis_.to(vectors.device())).sum(1, /*keepdim=*/true),
      .loss = torch::zeros({}, vectors.options())};
}

at::Tensor FiniteScalar::lookup(const at::Tensor& indices) {
  check_indices(indices, num_codes_, num_levels());
  const auto device = indices.device();
  const auto half_width = half_width_.to(device);
  const auto steps =
      indices.div(basis_.to(device), "floor").remainder(levels_.to(device));
  return (steps - half_width).to(torch::kFloat) / half_width;
}

}  // namespace calotype
