#pragma once

#include <memory>
#include <string>

#include "nn/image_loss.h"
#include "nn/latent_codec.h"
#include "nn/trainable.h"

namespace calotype {

struct CodecLossConfig {
  ImageLossConfig image;  // its keys are the configuration's

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(CodecLossConfig& c, Visitor&& visit) {
  visit_fields(c.image, visit);
}

/// Trains a codec without a variance by the loss of its images alone. Images of
/// any size are padded as for encoding, and compared where they are images.
class CodecTraining : public Trainable {
 public:
  /// Throws ConfigError for an adaptive discriminator, whose weight is taken
  /// at a layer decoder.conv_out (nn/image_loss.h), if the codec has none.
  CodecTraining(std::shared_ptr<LatentCodec> codec,
                const CodecLossConfig& config);

  Losses losses(const Batch& batch) override;
  torch::nn::Module& module() override { return codec_->module(); }
  torch::nn::Module& trained_module() override { return *trained_; }

  /// Rows of eight originals above their reconstructions: [2N,C,H,W].
  bool takes_slices(int64_t step) const override {
    return !image_loss_.asks_gradients(step);
  }
  at::Tensor preview(const Batch& batch) override;

 private:
  at::Tensor reconstruct(const at::Tensor& images);

  std::shared_ptr<LatentCodec> codec_;
  ImageLoss image_loss_;
  std::shared_ptr<torch::nn::Module> trained_;
};

}  // namespace calotype
