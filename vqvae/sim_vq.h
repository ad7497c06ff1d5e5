#pragma once

#include "nn/batch_invariant.h"
#include "vqvae/gradient_estimate.h"
#include "vqvae/quantizer.h"

namespace calotype {

/// The nearest of K frozen random codes after one learned linear map, so that
/// every step moves all of them (arXiv:2411.02038, section 4). The loss is
/// LearnedCodebook's. Buffer embedding.weight [K,D], parameter
/// transform.weight.
class SimVq : public Quantizer {
 public:
  SimVq(const QuantizerConfig& config, int64_t dim);

  Quantized quantize(const at::Tensor& vectors,
                     const QuantizerStep* training) override;
  at::Tensor lookup(const at::Tensor& indices) override;
  int64_t num_codes() const override { return config_.num_codes; }

 private:
  QuantizerConfig config_;
  GradientEstimate gradient_;
  at::Tensor frozen_;  // [K,D]
  Linear transform_{nullptr};
};

}  // namespace calotype
