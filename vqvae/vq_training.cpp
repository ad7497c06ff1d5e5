#include "vqvae/vq_training.h"

#include <torch/torch.h>

#include "core/check.h"
#include "nn/preview.h"

namespace calotype {

void VqLossConfig::validate() const {
  image.validate();
  check_range("loss", "quantizer_weight", quantizer_weight, 0, 1e6);
}

VqTraining::VqTraining(std::shared_ptr<VQModelImpl> model,
                       const VqLossConfig& config)
    : model_(std::move(model)),
      config_(config),
      image_loss_(config.image, model_->image_channels()),
      trained_(image_loss_.with_discriminator(*model_)),
      health_(model_->num_codes(), model_->num_levels()) {
  config.validate();
}

Losses VqTraining::losses(const Batch& batch) {
  const bool trains = model_->is_training();
  const QuantizerStep step{.seed = batch.seed, .step = batch.step};
  const auto latent = model_->encode(batch.data).mean;
  const auto quantized = model_->quantize(latent, trains ? &step : nullptr);
  const auto image = image_loss_(model_->decode_codes(quantized.vectors),
                                 batch.data, *model_, batch.step, trains);
  Losses losses{.total = image.codec + image.discriminator +
                         config_.quantizer_weight * quantized.loss,
                .parts = image.parts};
  for (const auto& part : quantized.parts) losses.parts.push_back(part);
  if (!trains) return losses;
  health_.observe(quantized.indices.permute({0, 2, 3, 1})
                      .reshape({-1, model_->num_levels()}));
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
  return interleave_rows(
      {batch.data, model_->decode(model_->encode(batch.data).mean)});
}

std::vector<std::pair<std::string, at::Tensor>> VqTraining::training_state() {
  auto state = model_->quantizer().training_state();
  for (auto& [name, tensor] : health_.state())
    state.emplace_back("health." + name, tensor);
  return state;
}

}  // namespace calotype
