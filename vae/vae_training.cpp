#include "vae/vae_training.h"

#include <torch/torch.h>

#include <algorithm>

#include "core/check.h"
#include "core/error.h"
#include "core/random.h"
#include "vae/gaussian.h"
#include "nn/preview.h"

namespace calotype {

void VaeLossConfig::validate() const {
  check_one_of("loss", "reconstruction", reconstruction, {"mse", "l1"});
  check_range("loss", "kl_weight", kl_weight, 0, 1e6);
  check_range("loss", "kl_anneal_steps", double(kl_anneal_steps), 0, 1e12);
  check_range("loss", "free_bits", free_bits, 0, 1e6);
}

VaeLoss vae_loss(const VaeLossConfig& config, const at::Tensor& images,
                 const at::Tensor& reconstruction, const LatentGrid& posterior,
                 int64_t step) {
  if (!posterior.logvar.defined())
    throw ShapeError("vae_loss: posterior must have a log-variance, got none");
  const auto error = images - reconstruction;
  VaeLoss loss;
  loss.reconstruction = config.reconstruction == "l1" ? error.abs().mean()
                                                      : error.square().mean();
  const auto kl = kl_elements(posterior).mean(0);  // [D,h,w]
  loss.kl = kl.sum();
  const auto charged =
      config.free_bits > 0 ? kl.clamp_min(config.free_bits).sum() : loss.kl;
  const double values_per_image =
      double(images.numel()) / double(images.size(0));
  loss.total = loss.reconstruction +
               charged * (annealed_weight(config.kl_weight,
                                          config.kl_anneal_steps, step) /
                          values_per_image);
  return loss;
}

VaeTraining::VaeTraining(std::shared_ptr<LatentCodec> codec,
                         const VaeLossConfig& config)
    : codec_(std::move(codec)), config_(config) {
  config.validate();
}

Losses VaeTraining::losses(const Batch& batch) {
  // Validation is judged by the whole objective, however far annealing is.
  const auto step = codec_->module().is_training()
                        ? batch.step
                        : std::max(batch.step, config_.kl_anneal_steps);
  const auto posterior = codec_->encode(batch.data);
  const auto noise =
      normal_rows(posterior.mean.sizes().slice(1), batch.samples, batch.seed,
                  Stream::kPosterior, uint32_t(batch.step));
  const auto latent = sample(posterior, noise.to(posterior.mean.device()));
  const auto loss =
      vae_loss(config_, batch.data, codec_->decode(latent), posterior, step);
  return {.total = loss.total,
          .parts = {{config_.reconstruction, loss.reconstruction},
                    {"kl", loss.kl}}};
}

at::Tensor VaeTraining::preview(const Batch& batch) {
  return interleave_rows(
      {batch.data, codec_->decode(codec_->encode(batch.data).mean)});
}

}  // namespace calotype
