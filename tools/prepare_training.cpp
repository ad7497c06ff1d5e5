#include "tools/prepare_training.h"

#include <torch/utils.h>

#include "core/error.h"
#include "core/note.h"
#include "core/progress.h"
#include "denoisers/denoisers.h"
#include "models/classifier_model.h"
#include "vae/autoencoder_kl.h"
#include "vae/autoencoder_training.h"
#include "vae/vae_training.h"
#include "vqvae/masked_generator.h"
#include "vqvae/vq_model.h"
#include "vqvae/vq_training.h"
#include "vqvae/vqvae2.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// Where the model takes images of one size alone, they are made that size.
void fit_size(Preprocessing& preprocessing, std::optional<int64_t> size) {
  if (size && preprocessing.size == 0) preprocessing.size = *size;
  if (size && preprocessing.size != *size)
    throw ConfigError(fmt::format(
        "config: data.preprocessing.size must be {}, the size of images that "
        "the model takes, got {}",
        *size, preprocessing.size));
}

/// An image is compared with what comes of it, channel by channel.
void expect_images_out(const Json& model) {
  if (model.contains("out_channels") &&
      model["out_channels"] != model["in_channels"])
    throw ConfigError(fmt::format(
        "config: model.out_channels must be in_channels, {}, to be trained; "
        "got {}",
        model["in_channels"].dump(), model["out_channels"].dump()));
}

void add_perceptual(DataRecords& records, const Json& perceptual) {
  const auto file = perceptual["weights"].get<std::string>();
  if (!file.empty()) add_file(records, "loss.perceptual.weights", file);
}

/// A codec `Model` that learns by the losses of `Training`.
template <class Model, class ModelConfig, class Training, class LossConfig>
Prepared prepare_codec(TrainConfig& config) {
  expect_only(config, true, false);
  const auto loss = read_loss_config<LossConfig>(config);
  const auto model_config = read_model_config<ModelConfig>(config.model);
  if (const auto& image = *config.loss;
      !is_quiet() && image.contains("perceptual") &&
      image["perceptual"]["weights"].get<std::string>().empty())
    note(
        "trains without a perceptual loss: loss.perceptual.weights names no "
        "file");
  const auto model = std::make_shared<Model>(model_config);
  Prepared prepared{.class_name = Model::kClassName,
                    .model_config = write_config(model_config)};
  expect_images_out(prepared.model_config);
  fit_size(config.data.preprocessing, model->fixed_size());
  add_images(prepared.setup, prepared.records, config, model->image_channels());
  if (config.loss->contains("perceptual"))
    add_perceptual(prepared.records, (*config.loss)["perceptual"]);
  prepared.setup.trainable = std::make_shared<Training>(model, loss);
  return prepared;
}

Prepared prepare_autoencoder(TrainConfig& config) {
  auto prepared =
      prepare_codec<CalotypeAutoencoderImpl, CalotypeAutoencoderConfig,
                    AutoencoderTraining, AutoencoderLossConfig>(config);
  auto& model = prepared.model_config;
  model["_noise_model"] = noise_model(parse_reconstruction(
      prepared.class_name.c_str(), model["reconstruction"].get<std::string>()));
  return prepared;
}

Prepared prepare_classifier(TrainConfig& config, const fs::path& out) {
  expect_only(config, false, false);
  const auto model_config =
      read_model_config<CalotypeClassifierConfig>(config.model);
  Prepared prepared{.class_name = kClassifierClass,
                    .model_config = write_config(model_config)};
  fit_size(config.data.preprocessing, model_config.sample_size);
  const auto names =
      add_labelled_images(prepared.setup, prepared.records, config,
                          model_config.in_channels, model_config.num_classes);
  prepared.setup.trainable =
      std::make_shared<ClassifierTraining>(CalotypeClassifier(model_config));
  prepared.files = {"class_names.json"};
  prepared.setup.save_model = [=](const TensorFile&) {
    write_class_names(out, names);
  };
  return prepared;
}

}  // namespace

void expect_only(const TrainConfig& config, bool loss, bool diffusion) {
  if (config.loss && !loss)
    throw ConfigError("config: \"loss\" belongs to an autoencoder");
  if (config.diffusion && !diffusion)
    throw ConfigError(
        fmt::format("config: \"diffusion\" belongs to a denoiser ({})",
                    fmt::join(denoiser_classes(), ", ")));
}

Prepared prepare_training(TrainConfig& config, const TrainJob& job) {
  const auto name = config.model.value("_class_name", "");
  if (config.data.train.empty())
    throw ConfigError("config: data.train is missing");
  torch::manual_seed(config.seed);  // initial weights
  if (name == AutoencoderKLImpl::kClassName)
    return prepare_codec<AutoencoderKLImpl, AutoencoderKLConfig, VaeTraining,
                         VaeLossConfig>(config);
  if (name == CalotypeAutoencoderImpl::kClassName)
    return prepare_autoencoder(config);
  if (name == VQModelImpl::kClassName)
    return prepare_codec<VQModelImpl, VQModelConfig, VqTraining, VqLossConfig>(
        config);
  if (name == VqVae2Impl::kClassName)
    return prepare_codec<VqVae2Impl, VqVae2Config, VqTraining, VqLossConfig>(
        config);
  if (is_denoiser(name)) return prepare_diffusion(config, job);
  if (name == MaskedGeneratorImpl::kClassName)
    return prepare_masked_generator(config, job);
  if (name == kClassifierClass) return prepare_classifier(config, job.out);
  throw ConfigError(
      fmt::format("config: model._class_name must be one of AutoencoderKL, "
                  "{}, {}, {}, {}, {}, {}, got \"{}\"",
                  CalotypeAutoencoderImpl::kClassName, VQModelImpl::kClassName,
                  VqVae2Impl::kClassName, fmt::join(denoiser_classes(), ", "),
                  MaskedGeneratorImpl::kClassName, kClassifierClass, name));
}

}  // namespace calotype
