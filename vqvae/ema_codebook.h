#pragma once

#include "vqvae/codebook.h"
#include "vqvae/gradient_estimate.h"
#include "vqvae/quantizer.h"

namespace calotype {

/// The nearest of K codes that are running means of the vectors they stood for
/// (arXiv:1711.00937, appendix A.1), their counts smoothed as Laplace would.
/// The loss is beta |x - sg(c)|^2. Buffer: embedding.weight [K,D].
class EmaCodebook : public Quantizer {
 public:
  EmaCodebook(const QuantizerConfig& config, int64_t dim);

  Quantized quantize(const at::Tensor& vectors,
                     const QuantizerStep* training) override;
  at::Tensor lookup(const at::Tensor& indices) override;
  void keep_codes() override;
  int64_t num_codes() const override { return config_.num_codes; }
  std::vector<std::pair<std::string, at::Tensor>> training_state() override;

 protected:
  /// What is compared with the codes and averaged into them.
  virtual at::Tensor prepare(const at::Tensor& vectors) const {
    return vectors;
  }

  void set_codes(const at::Tensor& codes);
  const at::Tensor& codes() const { return codes_; }

 private:
  void learn(const at::Tensor& vectors, const at::Tensor& indices,
             const QuantizerStep& training);

  QuantizerConfig config_;
  GradientEstimate gradient_;
  at::Tensor codes_;  // [K,D]
  at::Tensor sizes_;  // [K] running count of vectors
  at::Tensor sums_;   // [K,D] running sum of vectors
  CodebookCare care_;
};

}  // namespace calotype
