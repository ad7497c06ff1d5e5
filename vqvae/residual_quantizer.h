#pragma once

#include "vqvae/ema_codebook.h"
#include "vqvae/gradient_estimate.h"
#include "vqvae/quantizer.h"

namespace calotype {

/// Several codebooks, each for what those before it left over
/// (arXiv:2107.03312, section III.C); the code is their sum. Sub-modules
/// layers.0, layers.1, ...
class ResidualQuantizer : public Quantizer {
 public:
  ResidualQuantizer(const QuantizerConfig& config, int64_t dim);

  Quantized quantize(const at::Tensor& vectors,
                     const QuantizerStep* training) override;
  at::Tensor lookup(const at::Tensor& indices) override;
  int64_t num_codes() const override { return config_.num_codes; }
  int64_t num_levels() const override { return config_.num_quantizers; }
  std::vector<std::pair<std::string, at::Tensor>> training_state() override;

 private:
  QuantizerConfig config_;
  GradientEstimate gradient_;
  std::vector<std::shared_ptr<EmaCodebook>> layers_;
};

}  // namespace calotype
