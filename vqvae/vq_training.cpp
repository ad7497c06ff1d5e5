#include "vqvae/vq_training.h"

#include <torch/types.h>

#include "core/check.h"
#include "nn/padding.h"
#include "nn/preview.h"

namespace calotype {

void VqLossConfig::validate() const {
  image.validate();
  check_range("loss", "quantizer_weight", quantizer_weight, 0, 1e6);
}

VqTraining::VqTraining(std::shared_ptr<QuantizedCodec> model,
                       const VqLossConfig& config)
    : model_(std::move(model)),
      config_(config),
      image_loss_(config.image, model_->image_channels()),
      trained_(image_loss_.with_discriminator(model_->module())),
      health_(model_->num_codes(), model_->codebooks()) {
  config.validate();
}

Losses VqTraining::losses(const Batch& batch) {
  const bool trains = model_->module().is_training();
  const QuantizerStep step{.seed = batch.seed, .step = batch.step};
  const at::AutoGradMode with_gradients(
      at::GradMode::is_enabled() ||
      image_loss_.asks_gradients(batch.steps_done));
  const auto& images = batch.data;
  const auto coded = model_->reconstruct(
      pad_to_multiple(images, model_->downsample()), trains ? &step : nullptr);
  const auto image = image_loss_(
      crop_to(coded.images, images.size(2), images.size(3)), images,
      model_->module(), batch.steps_done, at::GradMode::is_enabled());
  Losses losses{.total = image.codec + image.discriminator +
                         config_.quantizer_weight * coded.loss,
                .parts = image.parts};
  for (const auto& part : coded.parts) losses.parts.push_back(part);
  if (!trains) return losses;
  health_.observe(
      coded.indices.permute({0, 2, 3, 1}).reshape({-1, model_->num_levels()}),
      batch.step);
  const auto show = [&](const char* name, double value) {
    losses.parts.emplace_back(name, torch::tensor(value, torch::kDouble));
  };
  show("perplexity", health_.perplexity());
  show("usage", health_.usage());
  show("dead_codes", double(health_.num_dead()));
  losses.warning = health_.warning();
  return losses;
}

at::Tensor VqTraining::preview(const Batch& batch) {
  const auto& images = batch.data;
  const auto padded = pad_to_multiple(images, model_->downsample());
  return interleave_rows(
      {images, crop_to(model_->decode(model_->encode(padded).mean),
                       images.size(2), images.size(3))});
}

std::vector<std::pair<std::string, at::Tensor>> VqTraining::training_state() {
  auto state = model_->training_state();
  for (auto& [name, tensor] : health_.state())
    state.emplace_back("health." + name, tensor);
  return state;
}

}  // namespace calotype
