#pragma once

#include <torch/nn/modules/linear.h>

#include "vqvae/quantizer.h"

namespace calotype {

/// Codes in fewer dimensions than the latents have: a linear map before the
/// quantizer and one behind it (arXiv:2110.04627, section 3.2). Sub-modules
/// project_in, inner, project_out.
///
/// With `pca_init` the first batch decides both: the codes' numbers begin as
/// its principal components at variance 1, so that a grid of codes is filled
/// from the first step on, and what follows as the linear map that makes most
/// of the codes.
class ProjectedQuantizer : public Quantizer {
 public:
  /// `inner` takes vectors of `code_dim` numbers.
  ProjectedQuantizer(std::shared_ptr<Quantizer> inner, int64_t dim,
                     int64_t code_dim, bool pca_init);

  Quantized quantize(const at::Tensor& vectors,
                     const QuantizerStep* training) override;
  at::Tensor lookup(const at::Tensor& indices) override;
  int64_t num_codes() const override { return inner_->num_codes(); }
  int64_t num_levels() const override { return inner_->num_levels(); }
  std::vector<std::pair<std::string, at::Tensor>> training_state() override;

 private:
  void fit_before(const at::Tensor& vectors);
  void fit_behind(const at::Tensor& codes, const at::Tensor& vectors);

  bool pca_init_;
  at::Tensor fitted_;  // [] int64, 1 once the first batch was seen
  std::shared_ptr<Quantizer> inner_;
  torch::nn::Linear project_in_{nullptr}, project_out_{nullptr};
};

}  // namespace calotype
