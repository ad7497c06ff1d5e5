#include "tools/train.h"

#include <torch/torch.h>

#include "core/error.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "diffusion/denoisers.h"
#include "nn/model_folder.h"
#include "tools/classifier_model.h"
#include "tools/codec.h"
#include "tools/stored_config.h"
#include "tools/stored_flips.h"
#include "tools/token_space.h"
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

/// A model ready to be trained, and how its folder is written.
struct Prepared {
  TrainerSetup setup;
  std::string class_name;
  Json model_config;
};

template <class Config>
Config read_model_config(const Json& model) {
  Json keys = Json::object();  // without notes such as _class_name
  for (const auto& item : model.items())
    if (!item.key().starts_with('_')) keys[item.key()] = item.value();
  Config config;
  read_config(keys, config, "model");
  return config;
}

void add_images(TrainerSetup& setup, TrainConfig& config, int64_t channels) {
  expect_no_flips(config.data.flips);
  auto preprocessing = config.data.preprocessing;
  preprocessing.channels = channels;
  preprocessing.validate();
  const auto report = [](const SkippedImage& image) {
    fmt::print(stderr, "skipped {}: {}\n", image.name, image.reason);
  };
  const LoaderConfig loader{.batch_size = config.training.batch_size,
                            .shuffle = true,
                            .drop_last = true,
                            .num_workers = int(config.data.num_workers),
                            .seed = config.seed};
  const std::shared_ptr<const ImageSource> images =
      open_source(config.data.train);
  setup.data = image_batches(images, preprocessing, loader, report);
  if (config.data.validation.empty()) return;
  auto plain = preprocessing;  // validation sees images as they are
  plain.flip = false;
  if (plain.crop == "random") plain.crop = "center";
  auto in_order = loader;
  in_order.shuffle = in_order.drop_last = false;
  setup.validation = image_batches(open_source(config.data.validation), plain,
                                   in_order, report);
}

void expect_only(const TrainConfig& config, bool loss, bool diffusion) {
  if (config.loss && !loss)
    throw ConfigError("config: \"loss\" belongs to an autoencoder");
  if (config.diffusion && !diffusion)
    throw ConfigError(
        fmt::format("config: \"diffusion\" belongs to a denoiser ({})",
                    fmt::join(denoiser_classes(), ", ")));
}

/// The loss as configured; the resolved one is written back.
template <class Config>
Config read_loss_config(TrainConfig& config) {
  Config loss;
  if (config.loss) read_config(*config.loss, loss, "loss");
  config.loss = write_config(loss);
  return loss;
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
    fmt::print(stderr,
               "trains without a perceptual loss: loss.perceptual.weights "
               "names no file\n");
  const auto model = std::make_shared<Model>(model_config);
  Prepared prepared{.class_name = Model::kClassName,
                    .model_config = write_config(model_config)};
  auto& preprocessing = config.data.preprocessing;
  if (const auto size = model->fixed_size(); size && preprocessing.size == 0)
    preprocessing.size = *size;
  add_images(prepared.setup, config, model->image_channels());
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
  add_images(prepared.setup, config, model_config.in_channels);
  prepared.setup.trainable =
      std::make_shared<ClassifierTraining>(CalotypeClassifier(model_config));
  const auto names = open_source(config.data.train)->class_names();
  prepared.setup.save_model = [=](const TensorFile&) {
    write_class_names(out, names);
  };
  return prepared;
}

Prepared prepare_diffusion(TrainConfig& config, const TrainJob& job) {
  expect_only(config, false, true);
  if (!config.diffusion) config.diffusion.emplace();
  const auto store = std::make_shared<StoreReader>(config.data.train);
  if (store->info().kind == "tokens")
    throw ConfigError(config.data.train +
                      ": holds tokens, and a denoiser learns latents; "
                      "encode with --kind latents");
  if (store->info().grid_shapes.size() != 1)
    throw ConfigError(fmt::format(
        "{}: a denoiser learns latents of one shape, and the store has {}; "
        "encode with --size",
        config.data.train, store->info().grid_shapes.size()));
  const auto made = make_denoiser(
      config.model,
      {.grid_shape = store->info().grid_shapes.front(),
       .num_classes = int64_t(store->info().class_names.size()),
       .learned_variance =
           config.diffusion->scheduler.schedule.variance_type.starts_with(
               "learned")});
  LatentSpace space{.grid_shape = store->info().grid_shapes.front(),
                    .mean = store->info().mean,
                    .std = store->info().std,
                    .class_names = store->info().class_names,
                    .codec = store->info().codec};
  if (const auto& preview = store->info().preview) {
    space.preview_matrix = preview->matrix;
    space.preview_bias = preview->bias;
  }
  if (const auto note = space.constant_channels(); !note.empty())
    fmt::print(stderr, "{}: {}\n", config.data.train, note);
  const auto diffusion = std::make_shared<LatentDiffusion>(
      made.denoiser, *config.diffusion, space);

  Prepared prepared{.class_name = config.model["_class_name"],
                    .model_config = made.config};
  auto& setup = prepared.setup;
  setup.trainable = diffusion;
  const bool flips =
      resolve_flips(config.data.flips, *store, config.data.train);
  setup.data = latent_batches(store, config.training.batch_size, config.seed,
                              /*shuffle=*/true, flips);
  if (!config.data.validation.empty())
    setup.validation = latent_batches(
        std::make_shared<StoreReader>(config.data.validation),
        config.training.batch_size, config.seed, /*shuffle=*/false);
  if (const fs::path path = space.codec.value("path", "");
      is_codec_there(path)) {
    const auto codec = load_codec(path, job.device);
    setup.to_images = [codec, device = job.device](const at::Tensor& latents) {
      return codec.codec->decode(latents.to(device)).to(torch::kCPU);
    };
  } else {
    setup.to_images = [](const at::Tensor& latents) {
      return latents.narrow(1, 0, 1);
    };
  }
  const auto scheduler = config.diffusion->scheduler;
  setup.save_model = [=, out = job.out](const TensorFile&) {
    write_scheduler_config(out / "scheduler_config.json", scheduler);
    write_latent_space(out / "latent_space.json", space);
  };
  return prepared;
}

/// Turns tokens into images with the tokenizer that the store remembers; null
/// if it is not there.
std::function<at::Tensor(const at::Tensor&)> remembered_tokenizer(
    const Json& codec, c10::Device device) {
  const fs::path path = codec.value("path", "");
  if (!fs::is_directory(path)) return nullptr;
  const auto loaded = load_codec(path, device);
  if (!loaded.tokenizer) return nullptr;  // replaced since
  return [loaded, device](const at::Tensor& tokens) {
    return loaded.tokenizer->detokenize(tokens.to(device)).to(torch::kCPU);
  };
}

Prepared prepare_masked_generator(TrainConfig& config, const TrainJob& job) {
  expect_only(config, true, false);
  const auto loss = read_loss_config<MaskedTokenLossConfig>(config);
  const auto store = std::make_shared<StoreReader>(config.data.train);
  const auto& info = store->info();
  if (info.kind != "tokens" || info.grid_shapes.size() != 1)
    throw ConfigError(config.data.train +
                      ": a CalotypeMaskedGenerator learns tokens, of grids of "
                      "one size");
  auto model_config = read_model_config<MaskedGeneratorConfig>(config.model);
  const auto set_default = [](int64_t& field, int64_t value) {
    if (field == 0) field = value;
  };
  set_default(model_config.num_codes, info.codec.value("num_codes", int64_t{}));
  set_default(model_config.num_levels, info.grid_shapes[0][0]);
  set_default(model_config.grid_height, info.grid_shapes[0][1]);
  set_default(model_config.grid_width, info.grid_shapes[0][2]);
  set_default(model_config.num_classes, int64_t(info.class_names.size()));
  Prepared prepared{.class_name = MaskedGeneratorImpl::kClassName,
                    .model_config = write_config(model_config)};
  auto& setup = prepared.setup;
  setup.trainable = std::make_shared<MaskedTokenTraining>(
      std::make_shared<MaskedGeneratorImpl>(model_config), loss);
  const bool flips =
      resolve_flips(config.data.flips, *store, config.data.train);
  setup.data = latent_batches(store, config.training.batch_size, config.seed,
                              /*shuffle=*/true, flips);
  if (!config.data.validation.empty())
    setup.validation = latent_batches(
        std::make_shared<StoreReader>(config.data.validation),
        config.training.batch_size, config.seed, /*shuffle=*/false);
  setup.to_images = remembered_tokenizer(info.codec, job.device);
  if (!setup.to_images)
    setup.to_images = [K = model_config.num_codes](const at::Tensor& tokens) {
      return tokens.narrow(1, 0, 1).to(torch::kFloat) / double(K);
    };
  setup.save_model = [space = token_space(info), out = job.out](
                         const TensorFile&) { write_token_space(out, space); };
  return prepared;
}

Prepared prepare(TrainConfig& config, const TrainJob& job) {
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

int64_t num_parameters(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const auto& parameter : module.parameters()) count += parameter.numel();
  return count;
}

}  // namespace

TrainConfig read_train_config(const fs::path& path,
                              const std::vector<std::string>& overrides) {
  auto json = read_json_file(path);
  for (const auto& text : overrides) {
    const auto equals = text.find('=');
    if (equals == std::string::npos)
      throw ConfigError(
          fmt::format("--set: expected key.key=value, got {}", text));
    auto* at = &json;
    for (size_t begin = 0; begin <= equals;) {
      const auto end = std::min(text.find('.', begin), equals);
      at = &(*at)[text.substr(begin, end - begin)];
      begin = end + 1;
    }
    const auto value = text.substr(equals + 1);
    auto parsed = Json::parse(value, nullptr, /*allow_exceptions=*/false);
    *at = parsed.is_discarded() ? Json(value) : parsed;
  }
  TrainConfig config;
  read_config(json, config, path.string());
  return config;
}

Json train(const TrainJob& job) {
  auto config = job.config;
  config.training.validate();
  auto prepared = prepare(config, job);
  config.model = Json{{"_class_name", prepared.class_name}};
  config.model.update(prepared.model_config);
  const auto parameters = num_parameters(prepared.setup.trainable->module());
  if (job.dry_run)
    return {{"parameters", parameters},
            {"samples", prepared.setup.data->size()},
            {"config", write_config(config)}};

  RunFolder run(job.out, write_config(config), job.fresh, completed_config);
  auto& setup = prepared.setup;
  setup.seed = config.seed;
  setup.device = job.device;
  setup.stop_after = job.stop_after;
  setup.label = prepared.class_name;
  setup.save_model = [&prepared, &job,
                      also = setup.save_model](const TensorFile& weights) {
    save_model_folder(job.out, prepared.class_name, prepared.model_config,
                      weights);
    if (also) also(weights);
  };
  const auto batch = config.training.batch_size * config.training.accumulate;
  Trainer trainer(config.training, std::move(setup), run);
  const auto result = trainer.run();
  return {{"run", job.out.string()},
          {"parameters", parameters},
          {"step", result.step},
          {"steps_per_s", result.samples_per_s / double(batch)},
          {"samples_per_s", result.samples_per_s},
          {"elapsed_s", result.elapsed_s},
          {"peak_memory_mib", double(peak_memory_bytes()) / (1 << 20)},
          {"last", result.last}};
}

}  // namespace calotype
