#include "vqvae/lookup_free.h"

#include <torch/types.h>

#include "core/check.h"
#include "vqvae/bit_codes.h"
#include "vqvae/vectors.h"

namespace calotype {

LookupFree::LookupFree(const QuantizerConfig& config, int64_t dim)
    : LookupFree(config, dim, 1) {}

LookupFree::LookupFree(const QuantizerConfig& config, int64_t dim, double scale)
    : config_(config),
      gradient_(parse_gradient_estimate(config.gradient)),
      dim_(dim),
      scale_(scale) {
  check_range("quantizer", "bits of a code", double(dim), 1, double(kMaxBits));
}

Quantized LookupFree::quantize(const at::Tensor& vectors,
                               const QuantizerStep*) {
  const auto inputs = prepare(vectors);
  expect_finite(inputs);
  const auto codes = torch::where(inputs > 0, torch::ones_like(inputs),
                                  -torch::ones_like(inputs)) *
                     scale_;
  // Squared distances to +c and -c differ by 4 c x.
  const auto entropies =
      bit_entropies(inputs * (4 * scale_ * config_.inv_temperature));
  const auto commitment = (inputs - codes).square().mean();
  return {.vectors = with_gradient(gradient_, inputs, codes),
          .indices = bits_to_indices(inputs),
          .loss = config_.entropy_weight *
                      (entropies.per_sample -
                       config_.diversity_gamma * entropies.over_batch) +
                  config_.commitment_weight * commitment,
          .parts = {{"commitment", commitment},
                    {"sample_entropy", entropies.per_sample},
                    {"batch_entropy", entropies.over_batch}}};
}

at::Tensor LookupFree::lookup(const at::Tensor& indices) {
  check_indices(indices, num_codes(), num_levels());
  return indices_to_signs(indices, dim_) * scale_;
}

}  // namespace calotype
