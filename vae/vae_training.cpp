#include "vae/vae_training.h"

#include <torch/torch.h>

#include <algorithm>

#include "core/check.h"
#include "core/error.h"
#include "core/random.h"
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
  const auto posterior = codec_->encode(batch.data);
  const auto noise =
      normal_rows(posterior.mean.sizes().slice(1), batch.samples, batch.seed,
                  Stream::kPosterior, uint32_t(batch.step));
  const auto latent = sample(posterior, noise.to(posterior.mean.device()));
  const auto image = image_loss_(codec_->decode(latent), batch.data,
                                 codec_->module(), batch.step, trains);
  const auto divergence =
      kl_loss(config_, posterior, batch.data[0].numel(), step);
  Losses losses{.total = image.codec + image.discriminator + divergence.charged,
                .parts = image.parts};
  losses.parts.emplace_back("kl", divergence.kl);
  return losses;
}

at::Tensor VaeTraining::preview(const Batch& batch) {
  return interleave_rows(
      {batch.data, codec_->decode(codec_->encode(batch.data).mean)});
}

}  // namespace calotype
