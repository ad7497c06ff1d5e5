#pragma once

#include <memory>
#include <string>

#include "nn/image_loss.h"
#include "nn/trainable.h"
#include "vqvae/codebook_health.h"
#include "vqvae/quantized_codec.h"

namespace calotype {

struct VqLossConfig {
  ImageLossConfig image;        // its keys stand beside the following
  double quantizer_weight = 1;  // of what the quantizer asks for

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(VqLossConfig& c, Visitor&& visit) {
  visit_fields(c.image, visit);
  visit("quantizer_weight", c.quantizer_weight);
}

/// Trains a VQModel, a VQ-VAE-2 or a MAGVIT-2: the loss of its images plus what the
/// quantizer asks for (arXiv:1711.00937, equation 3), and watches the codebook.
/// Images of any size are padded as for encoding, and compared where they are
/// images.
class VqTraining : public Trainable {
 public:
  VqTraining(std::shared_ptr<QuantizedCodec> model, const VqLossConfig& config);

  Losses losses(const Batch& batch) override;
  torch::nn::Module& module() override { return model_->module(); }
  torch::nn::Module& trained_module() override { return *trained_; }

  /// Rows of eight originals above their reconstructions: [2N,C,H,W].
  bool takes_slices(int64_t step) const override {
    return !image_loss_.asks_gradients(step);
  }
  at::Tensor preview(const Batch& batch) override;

  std::vector<std::pair<std::string, at::Tensor>> training_state() override;

 private:
  std::shared_ptr<QuantizedCodec> model_;
  VqLossConfig config_;
  ImageLoss image_loss_;
  std::shared_ptr<torch::nn::Module> trained_;
  CodebookHealth health_;
};

}  // namespace calotype
