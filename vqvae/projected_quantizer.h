#pragma once

#include "nn/batch_invariant.h"
#include "vqvae/quantizer.h"

namespace calotype {

/// Codes in fewer dimensions than the latents have: a linear map before the
/// quantizer and one behind it (arXiv:2110.04627, section 3.2). Sub-modules
/// project_in, inner, project_out.
class ProjectedQuantizer : public Quantizer {
 public:
  /// `inner` takes vectors of `code_dim` numbers.
  ProjectedQuantizer(std::shared_ptr<Quantizer> inner, int64_t dim,
                     int64_t code_dim);

  Quantized quantize(const at::Tensor& vectors,
                     const QuantizerStep* training) override;
  at::Tensor lookup(const at::Tensor& indices) override;
  int64_t num_codes() const override { return inner_->num_codes(); }
  int64_t num_levels() const override { return inner_->num_levels(); }
  std::vector<std::pair<std::string, at::Tensor>> training_state() override {
    return inner_->training_state();
  }

 private:
  std::shared_ptr<Quantizer> inner_;
  Linear project_in_{nullptr}, project_out_{nullptr};
};

}  // namespace calotype
