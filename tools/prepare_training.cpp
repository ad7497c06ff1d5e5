#include "tools/prepare_training.h"

#include <torch/utils.h>

#include "core/error.h"
#include "core/note.h"
#include "core/progress.h"
#include "models/classifier_model.h"
#include "tools/begin_with.h"
#include "tools/stored_config.h"

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

/// Throws ConfigError for a part of the configuration that belongs to another
/// class.
void expect_only_its_parts(const TrainConfig& config, const ModelClass& known) {
  if (config.loss && !known.complete_loss)
    throw ConfigError(
        fmt::format("config: \"loss\" does not belong to a {}", known.name));
  if (config.diffusion && known.kind != ModelKind::kDenoiser)
    throw ConfigError(
        fmt::format("config: \"diffusion\" belongs to a denoiser ({})",
                    names_of_classes([](const ModelClass& other) {
                      return other.kind == ModelKind::kDenoiser;
                    })));
}

void tell_no_perceptual_loss(const Json& loss) {
  if (!is_quiet() && loss.contains("perceptual") &&
      loss["perceptual"]["weights"].get<std::string>().empty())
    note(
        "trains without a perceptual loss: loss.perceptual.weights names no "
        "file");
}

/// Where nobody says, a run goes on with the slices and the precision that it
/// began with. `run`: its configuration, null where it is new.
void complete_training(TrainerConfig& training, const Json& run,
                       c10::Device device) {
  if (training.slices == 0)
    training.slices = run.is_null()
                          ? usual_slices(training.batch_size)
                          : run.at("training").at("slices").get<int64_t>();
  if (training.precision == "auto")
    training.precision =
        run.is_null() ? precision_name(resolve_precision("auto", device))
                      : run.at("training").at("precision").get<std::string>();
}

void prepare_codec(Prepared& prepared, const ModelClass& known) {
  auto& config = prepared.config;
  const auto model = make_model(prepared, known, keys_of(config.model));
  tell_no_perceptual_loss(*config.loss);
  expect_images_out(config.model);
  fit_size(config.data.preprocessing, model.codec->fixed_size());
  add_images(prepared.setup, prepared.records, config,
             model.codec->image_channels());
  if (config.loss->contains("perceptual"))
    add_perceptual(prepared.records, (*config.loss)["perceptual"]);
  prepared.setup.trainable = known.trainable(model, *config.loss);
}

void prepare_classifier(Prepared& prepared, const ModelClass& known,
                        const fs::path& out) {
  auto& config = prepared.config;
  // Its data are looked at before its weights are drawn.
  config.model.update(known.complete(keys_of(config.model), "model"));
  fit_size(config.data.preprocessing,
           config.model["sample_size"].get<int64_t>());
  const auto names =
      add_labelled_images(prepared.setup, prepared.records, config,
                          config.model["in_channels"].get<int64_t>(),
                          config.model["num_classes"].get<int64_t>());
  const auto model = make_model(prepared, known, keys_of(config.model));
  prepared.class_names = names;
  prepared.setup.trainable = known.trainable(model, {});
  prepared.files = {"class_names.json"};
  prepared.setup.save_model = [=](const TensorFile&) {
    write_class_names(out, names);
  };
}

void prepare(Prepared& prepared, const ModelClass& known, const TrainJob& job) {
  if (prepared.config.distill)
    return prepare_distillation(prepared, known, job);
  switch (known.kind) {
    case ModelKind::kCodec:
    case ModelKind::kTokenizer:
      prepare_codec(prepared, known);
      break;
    case ModelKind::kDenoiser:
      prepare_diffusion(prepared, known, job);
      break;
    case ModelKind::kGenerator:
      prepare_generator(prepared, known, job);
      break;
    case ModelKind::kClassifier:
      prepare_classifier(prepared, known, job.out);
      break;
  }
}

}  // namespace

const AnyModel& make_model(Prepared& prepared, const ModelClass& known,
                           const Json& keys) {
  auto& config = prepared.config;
  auto& model = prepared.model = known.make(keys);
  config.model = Json{{"_class_name", known.name}};
  config.model.update(model.config);
  config.model.update(model.notes);
  return model;
}

Prepared prepare_training(const TrainJob& job) {
  Prepared prepared{.config = job.config};
  auto& config = prepared.config;
  config.training.validate();
  const auto earlier = earlier_config(job);
  complete_training(config.training, earlier, job.device);
  if (config.data.train.empty() && !config.distill)
    throw ConfigError(
        "config: data.train is missing; --data names the images, or the "
        "latent store, to train on");
  const auto initial = initial_model_of(job);
  complete_model(config, initial, earlier);
  const auto& known = configured_class(config.model);
  expect_only_its_parts(config, known);
  if (job.pipeline && known.kind != ModelKind::kDenoiser)
    throw ConfigError(fmt::format(
        "--pipeline: is left by a run of latent diffusion, not by a {}",
        known.name));
  config.loss = completed_loss(
      config, known, config.loss ? *config.loss : Json::object(), "loss");
  torch::manual_seed(config.seed);  // initial weights
  prepare(prepared, known, job);
  if (initial) begin_with(*initial, prepared);
  settle_frozen(initial, earlier, prepared);
  return prepared;
}

}  // namespace calotype
