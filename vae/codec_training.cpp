#include "vae/codec_training.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "nn/padding.h"
#include "nn/preview.h"

namespace calotype {

void CodecLossConfig::validate() const {
  image.validate();
}

CodecTraining::CodecTraining(std::shared_ptr<LatentCodec> codec,
                             const CodecLossConfig& config)
    : codec_(std::move(codec)),
      image_loss_(config.image, codec_->image_channels()),
      trained_(image_loss_.with_discriminator(codec_->module())) {
  config.validate();
  const auto& adversarial = config.image.adversarial;
  if (adversarial.weight > 0 && adversarial.adaptive &&
      !codec_->module().named_parameters().contains("decoder.conv_out.weight"))
    throw ConfigError(
        "loss: adversarial.adaptive must be false for a codec without a layer "
        "decoder.conv_out");
}

at::Tensor CodecTraining::reconstruct(const at::Tensor& images) {
  const auto padded = pad_to_multiple(images, codec_->downsample());
  return crop_to(codec_->decode(codec_->encode(padded).mean), images.size(2),
                 images.size(3));
}

Losses CodecTraining::losses(const Batch& batch) {
  const auto& images = batch.data;
  const auto image = image_loss_(reconstruct(images), images, codec_->module(),
                                 batch.steps_done, at::GradMode::is_enabled());
  return {.total = image.codec + image.discriminator, .parts = image.parts};
}

at::Tensor CodecTraining::preview(const Batch& batch) {
  return interleave_rows({batch.data, reconstruct(batch.data)});
}

}  // namespace calotype
