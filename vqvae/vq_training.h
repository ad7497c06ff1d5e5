#pragma once

#include <memory>
#include <string>

#include "nn/trainable.h"
#include "vqvae/codebook_health.h"
#include "vqvae/vq_model.h"

namespace calotype {

struct VqLossConfig {
  std::string reconstruction = "mse";  // mse, l1
  double quantizer_weight = 1;         // of what the quantizer asks for

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(VqLossConfig& c, Visitor&& visit) {
  visit("reconstruction", c.reconstruction);
  visit("quantizer_weight", c.quantizer_weight);
}

/// Trains a VQModel: the mean error over all pixel values plus what the
/// quantizer asks for (arXiv:1711.00937, equation 3), and watches the codebook.
class VqTraining : public Trainable {
 public:
  VqTraining(std::shared_ptr<VQModelImpl> model, const VqLossConfig& config);

  Losses losses(const Batch& batch) override;
  torch::nn::Module& module() override { return *model_; }

  /// Rows of eight originals above their reconstructions: [2N,C,H,W].
  at::Tensor preview(const Batch& batch) override;

  std::vector<std::pair<std::string, at::Tensor>> training_state() override;

 private:
  std::shared_ptr<VQModelImpl> model_;
  VqLossConfig config_;
  CodebookHealth health_;
};

}  // namespace calotype
