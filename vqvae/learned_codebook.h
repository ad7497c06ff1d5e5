#pragma once

#include <torch/nn/modules/embedding.h>

#include "vqvae/codebook.h"
#include "vqvae/gradient_estimate.h"
#include "vqvae/quantizer.h"

namespace calotype {

/// The nearest of K learned codes (arXiv:1711.00937, section 3.2, equation 3).
/// The loss is |sg(x) - c|^2 + beta |x - sg(c)|^2, both means over all numbers;
/// legacy_beta puts beta on the other term, as diffusers' VectorQuantizer does
/// by default. Parameter: embedding.weight [K,D].
class LearnedCodebook : public Quantizer {
 public:
  LearnedCodebook(const QuantizerConfig& config, int64_t dim);

  Quantized quantize(const at::Tensor& vectors,
                     const QuantizerStep* training) override;
  at::Tensor lookup(const at::Tensor& indices) override;
  void keep_codes() override;
  int64_t num_codes() const override { return config_.num_codes; }
  std::vector<std::pair<std::string, at::Tensor>> training_state() override {
    return care_.state();
  }

 private:
  QuantizerConfig config_;
  GradientEstimate gradient_;
  torch::nn::Embedding embedding_{nullptr};
  CodebookCare care_;
};

}  // namespace calotype
