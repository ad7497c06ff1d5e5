#include "vae/autoencoder_training.h"

#include <torch/utils.h>

#include "core/check.h"
#include "core/error.h"
#include "core/random.h"
#include "nn/padding.h"
#include "nn/preview.h"
#include "vae/code_penalty.h"
#include "vae/code_usage.h"
#include "vae/dense_network.h"
#include "vae/evidence.h"
#include "vae/gaussian.h"
#include "vae/masked_network.h"

namespace calotype {
namespace {

DenseNetwork* dense_network(CalotypeAutoencoderImpl& model) {
  return dynamic_cast<DenseNetwork*>(&model.network());
}

MaskedNetwork* masked_network(CalotypeAutoencoderImpl& model) {
  return dynamic_cast<MaskedNetwork*>(&model.network());
}

void refuse(bool wrong, const std::string& message) {
  if (wrong) throw ConfigError("loss: " + message);
}

/// A code at least as large as the image can be the image.
void refuse_copying(const CalotypeAutoencoderImpl& model,
                    const AutoencoderLossConfig& loss) {
  const auto& c = model.config();
  const auto pixels = c.in_channels * c.sample_size * c.sample_size;
  const bool restrained = c.variational || c.network == "masked" ||
                          loss.corruption.kind != "none" ||
                          loss.sparsity.kind != "none" ||
                          loss.contractive.weight > 0;
  refuse(model.code_size() >= pixels && !restrained,
         fmt::format("a code of {} numbers can copy an image of {} values and "
                     "would learn nothing; make latent_channels smaller, or "
                     "add a corruption, a sparsity or a contractive weight",
                     model.code_size(), pixels));
}

/// 1 where a pixel belongs to a visible patch: [N,1,H,W].
at::Tensor visible_pixels(const at::Tensor& visible, const at::Tensor& images,
                          int64_t patch_size) {
  const auto h = images.size(2) / patch_size, w = images.size(3) / patch_size;
  return torch::zeros({images.size(0), h * w}, images.options())
      .scatter(1, visible, 1)
      .view({-1, 1, h, w})
      .repeat_interleave(patch_size, 2)
      .repeat_interleave(patch_size, 3);
}

}  // namespace

void SparsityConfig::validate() const {
  check_one_of("loss: sparsity", "kind", kind, {"none", "l1", "kl"});
  check_range("loss: sparsity", "weight", weight, 0, 1e9);
  check_range("loss: sparsity", "target", target, 1e-4, 1 - 1e-4);
}

void ContractiveConfig::validate() const {
  check_range("loss: contractive", "weight", weight, 0, 1e9);
  check_range("loss: contractive", "num_probes", double(num_probes), 1, 1e6);
}

void AutoencoderLossConfig::validate() const {
  corruption.validate();
  sparsity.validate();
  contractive.validate();
  check_range("loss", "kl_weight", kl_weight, 0, 1e6);
  check_range("loss", "kl_anneal_steps", double(kl_anneal_steps), 0, 1e12);
  check_range("loss", "free_bits", free_bits, 0, 1e6);
  check_range("loss", "hidden_share", hidden_share, 0, 1 - 1e-9);
  check_range("loss", "visible_weight", visible_weight, 0, 1e6);
  check_range("loss", "pretrain_steps", double(pretrain_steps), 0, 1e12);
}

AutoencoderTraining::AutoencoderTraining(CalotypeAutoencoder model,
                                         const AutoencoderLossConfig& config)
    : model_(model.ptr()), config_(config) {
  config.validate();
  const auto& c = model_->config();
  const bool masked = c.network == "masked";
  refuse_copying(*model_, config);
  refuse(config.sparsity.kind == "kl" && c.code_act_fn != "sigmoid",
         "sparsity kl needs code_act_fn sigmoid, got " + c.code_act_fn);
  refuse(config.binarize && c.reconstruction != "bce",
         "binarize needs reconstruction bce, got " + c.reconstruction);
  refuse(config.pretrain_steps > 0 &&
             (c.network != "dense" || c.hidden.empty() || c.variational),
         "pretrain_steps needs a dense network with hidden layers that is not "
         "variational");
  refuse(masked &&
             (config.corruption.kind != "none" ||
              config.sparsity.kind != "none" || config.contractive.weight > 0),
         "a masked network hides patches, and takes no corruption, sparsity or "
         "contractive weight");
}

int64_t AutoencoderTraining::pretrained_layer(int64_t step) const {
  if (config_.pretrain_steps == 0) return -1;
  const auto layer = step / config_.pretrain_steps;
  return layer < dense_network(*model_)->num_layers() ? layer : -1;
}

std::vector<std::string> AutoencoderTraining::trained_parameters(
    int64_t step) const {
  const auto layer = pretrained_layer(step);
  if (layer < 0) return {};
  auto names = dense_network(*model_)->layer_parameters(layer);
  // The first layer answers for the image, so for its variance too.
  if (layer == 0 && model_->log_variance().defined())
    names.push_back("log_variance");
  return names;
}

Losses AutoencoderTraining::losses(const Batch& batch) {
  if (const auto layer = pretrained_layer(batch.step);
      layer >= 0 && model_->is_training())
    return layer_losses(batch, layer);
  const auto images = config_.binarize ? binarize(batch.data, batch.samples,
                                                  batch.seed, batch.step)
                                       : batch.data;
  return masked_network(*model_) ? masked_losses(batch, images)
                                 : code_losses(batch, images);
}

Losses AutoencoderTraining::layer_losses(const Batch& batch, int64_t layer) {
  auto& network = *dense_network(*model_);
  const auto corrupted = corrupt(config_.corruption, batch.data, batch.samples,
                                 batch.seed, batch.step);
  at::Tensor target = batch.data.flatten(1), input = corrupted.flatten(1);
  {
    const torch::NoGradGuard below_is_fixed;
    for (int64_t i = 0; i < layer; ++i) {
      target = network.encode_layer(i, target);
      input = network.encode_layer(i, input);
    }
  }
  const auto output =
      network.decode_layer(layer, network.encode_layer(layer, input));
  // The image is compared as configured, what a layer puts out by its squares.
  const auto error =
      layer == 0 ? reconstruction_errors(model_->reconstruction(), target,
                                         output, model_->log_variance())
                       .mean()
                 : (target - output).square().mean();
  return {.total = error, .parts = {{"layer_error", error}}};
}

Losses AutoencoderTraining::masked_losses(const Batch& batch,
                                          const at::Tensor& images) {
  auto& network = *masked_network(*model_);
  const auto visible =
      visible_patches(network.num_patches(), config_.hidden_share,
                      batch.samples, batch.seed, batch.step)
          .to(images.device());
  const auto errors = reconstruction_errors(model_->reconstruction(), images,
                                            network.complete(images, visible),
                                            model_->log_variance());
  const auto seen = visible_pixels(visible, images, network.downsample());
  const auto mean_where = [&](const at::Tensor& mask) {
    return (errors * mask).sum() /
           (mask.sum() * double(images.size(1))).clamp_min(1);
  };
  const auto hidden_error = mean_where(1 - seen);
  const auto visible_error = mean_where(seen);
  return {
      .total = hidden_error + config_.visible_weight * visible_error,
      .parts = {{model_->config().reconstruction + "_hidden", hidden_error},
                {model_->config().reconstruction + "_visible", visible_error}}};
}

Losses AutoencoderTraining::code_losses(const Batch& batch,
                                        const at::Tensor& images) {
  const auto& c = model_->config();
  const auto seen =
      pad_to_multiple(corrupt(config_.corruption, images, batch.samples,
                              batch.seed, batch.step),
                      model_->downsample());
  const auto grid = model_->encode(seen);
  const auto noise =
      c.variational
          ? normal_rows(grid.mean.sizes().slice(1), batch.samples, batch.seed,
                        Stream::kPosterior, uint32_t(batch.step))
                .to(images.device())
          : at::Tensor();
  const auto code = c.variational ? sample(grid, noise) : grid.mean;
  const auto error =
      reconstruction_errors(
          model_->reconstruction(), images,
          crop_to(model_->decode_raw(code), images.size(2), images.size(3)),
          model_->log_variance())
          .mean();
  Losses losses{.total = error, .parts = {{c.reconstruction, error}}};
  const double values_per_image =
      double(images.numel()) / double(images.size(0));
  const auto add = [&](const at::Tensor& penalty, double weight) {
    losses.total = losses.total + penalty * (weight / values_per_image);
  };

  if (c.variational) {
    const auto kl = kl_elements(grid).mean(0);  // [D,h,w]
    add(config_.free_bits > 0 ? kl.clamp_min(config_.free_bits).sum()
                              : kl.sum(),
        // Validation is judged by the whole objective.
        model_->is_training()
            ? annealed_weight(config_.kl_weight, config_.kl_anneal_steps,
                              batch.step)
            : config_.kl_weight);
    losses.parts.emplace_back("kl", kl.sum());
    losses.parts.emplace_back("active_units", num_active_units(grid.mean));
    if (has_likelihood(model_->reconstruction()))
      losses.parts.emplace_back("elbo_nats",
                                -(error * values_per_image + kl.sum()));
  }
  if (config_.sparsity.kind != "none") {
    const auto penalty =
        config_.sparsity.kind == "l1"
            ? l1_penalty(code, model_->network().code_directions())
            : kl_sparsity_penalty(code, config_.sparsity.target);
    add(penalty, config_.sparsity.weight);
    losses.parts.emplace_back("sparsity", penalty);
    losses.parts.emplace_back("active_share",
                              active_share(code, c.code_act_fn));
  }
  if (config_.contractive.weight > 0) {
    auto norm = jacobian_norm(*model_, seen, batch.samples, batch.seed,
                              batch.step, config_.contractive.num_probes);
    if (config_.contractive.relative) norm = norm / code_spread(code);
    add(norm, config_.contractive.weight);
    losses.parts.emplace_back("jacobian", norm);
  }
  return losses;
}

at::Tensor AutoencoderTraining::preview(const Batch& batch) {
  const auto& images = batch.data;
  if (auto* network = masked_network(*model_)) {
    const auto visible =
        visible_patches(network->num_patches(), config_.hidden_share,
                        batch.samples, batch.seed, 0)
            .to(images.device());
    const auto seen = visible_pixels(visible, images, network->downsample());
    const auto completed = expected_image(model_->reconstruction(),
                                          network->complete(images, visible));
    return interleave_rows(
        {images * seen, images, images * seen + completed * (1 - seen)});
  }
  const auto given =
      corrupt(config_.corruption, images, batch.samples, batch.seed, 0);
  const auto padded = pad_to_multiple(given, model_->downsample());
  const auto decoded = crop_to(model_->decode(model_->encode(padded).mean),
                               images.size(2), images.size(3));
  if (config_.corruption.kind == "none")
    return interleave_rows({images, decoded});
  return interleave_rows({given, images, decoded});
}

}  // namespace calotype
