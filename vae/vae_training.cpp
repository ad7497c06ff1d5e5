#include "vae/vae_training.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/check.h"
#include "core/error.h"
#include "core/random.h"
#include "nn/padding.h"
#include "nn/preview.h"
#include "vae/gaussian.h"

namespace calotype {

void VaeLossConfig::validate() const {
  image.validate();
  check_range("loss", "kl_weight", kl_weight, 0, 1e6);
  check_range("loss", "kl_anneal_steps", double(kl_anneal_steps), 0, 1e12);
  check_range("loss", "free_bits", free_bits, 0, 1e6);
}

KlLoss kl_loss(const VaeLossConfig& config, const LatentGrid& posterior,
               int64_t values_per_image, int64_t step) {
  if (!posterior.logvar.defined())
    throw ShapeError("kl_loss: posterior must have a log-variance, got none");
  const auto kl = kl_elements(posterior).mean(0);  // [D,h,w]
  const auto sum = kl.sum();
  const auto costs =
      config.free_bits > 0 ? kl.clamp_min(config.free_bits).sum() : sum;
  const auto weight =
      annealed_weight(config.kl_weight, config.kl_anneal_steps, step);
  return {.charged = costs * (weight / double(values_per_image)), .kl = sum};
}

VaeTraining::VaeTraining(std::shared_ptr<LatentCodec> codec,
                         const VaeLossConfig& config)
    : codec_(std::move(codec)),
      config_(config),
      image_loss_(config.image, codec_->image_channels()),
      trained_(image_loss_.with_discriminator(codec_->module())) {
  config.validate();
}

Losses VaeTraining::losses(const Batch& batch) {
  const bool trains = codec_->module().is_training();
  // Validation is judged by the whole objective, however far annealing is.
  const auto step =
      trains ? batch.step : std::max(batch.step, config_.kl_anneal_steps);
  const at::AutoGradMode with_gradients(
      at::GradMode::is_enabled() ||
      image_loss_.asks_gradients(batch.steps_done));
  const auto& images = batch.data;
  const auto posterior =
      codec_->encode(pad_to_multiple(images, codec_->downsample()));
  const auto noise =
      normal_rows(posterior.mean.sizes().slice(1), batch.samples, batch.seed,
                  Stream::kPosterior, uint32_t(batch.step));
  const auto latent = sample(posterior, noise.to(posterior.mean.device()));
  const auto decoded =
      crop_to(codec_->decode(latent), images.size(2), images.size(3));
  const auto image = image_loss_(decoded, images, codec_->module(),
                                 batch.steps_done, at::GradMode::is_enabled());
  const auto divergence = kl_loss(config_, posterior, images[0].numel(), step);
  Losses losses{.total = image.codec + image.discriminator + divergence.charged,
                .parts = image.parts};
  losses.parts.emplace_back("kl", divergence.kl);
  return losses;
}

at::Tensor VaeTraining::preview(const Batch& batch) {
  const auto& images = batch.data;
  const auto padded = pad_to_multiple(images, codec_->downsample());
  return interleave_rows(
      {images, crop_to(codec_->decode(codec_->encode(padded).mean),
                       images.size(2), images.size(3))});
}

}  // namespace calotype
