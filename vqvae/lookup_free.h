#pragma once

#include "vqvae/gradient_estimate.h"
#include "vqvae/quantizer.h"

namespace calotype {

/// The sign of each number: 2^D codes without a codebook (arXiv:2310.05737,
/// section 3.2). The loss is
///   entropy_weight (E[H(c|x)] - diversity_gamma H(E[c])) + beta |x - sg(c)|^2,
/// with soft codes at inv_temperature: sure of each vector, varied over the
/// batch.
class LookupFree : public Quantizer {
 public:
  LookupFree(const QuantizerConfig& config, int64_t dim);

  Quantized quantize(const at::Tensor& vectors,
                     const QuantizerStep* training) override;
  at::Tensor lookup(const at::Tensor& indices) override;
  int64_t num_codes() const override { return int64_t{1} << dim_; }

 protected:
  /// `scale`: what a sign is multiplied by.
  LookupFree(const QuantizerConfig& config, int64_t dim, double scale);

  /// What is compared with the codes.
  virtual at::Tensor prepare(const at::Tensor& vectors) const {
    return vectors;
  }

 private:
  QuantizerConfig config_;
  GradientEstimate gradient_;
  int64_t dim_;
  double scale_;
};

}  // namespace calotype
