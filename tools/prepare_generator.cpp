#include <torch/utils.h>

#include <functional>

#include "core/check.h"
#include "core/error.h"
#include "core/note.h"
#include "models/codec.h"
#include "models/image_size.h"
#include "models/pipeline_export.h"
#include "models/token_space.h"
#include "tools/prepare_training.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNoPreviews = "previews are of no images";

/// Throws ConfigError unless the denoiser takes such latents, which shows when
/// it is asked once.
void expect_takes(Denoiser& denoiser, const std::vector<int64_t>& grid_shape) {
  const torch::NoGradGuard no_grad;
  const bool trains = denoiser.module().is_training();
  denoiser.module().eval();
  const auto classes = denoiser.num_classes();
  try {
    denoiser.forward(
        torch::zeros({1, grid_shape[0], grid_shape[1], grid_shape[2]}),
        torch::zeros({1}),
        classes > 0 ? torch::full({1}, classes, torch::kLong) : at::Tensor());
  } catch (const c10::Error& error) {
    throw ConfigError(
        fmt::format("config: the model does not take latents of {}: {}",
                    shape_text(grid_shape), error.what_without_backtrace()));
  } catch (const ShapeError& error) {
    throw ConfigError(
        fmt::format("config: the model does not take latents of {}: {}",
                    shape_text(grid_shape), error.what()));
  }
  denoiser.module().train(trains);
}

/// What leaves a pipeline of the run at `out`. Throws ConfigError if there can
/// be none.
std::function<void()> pipeline_maker(const fs::path& out,
                                     const PipelineSource& source) {
  if (source.codec.empty())
    throw ConfigError(
        "--pipeline: holds the codec that made the latents, which must lie "
        "where it was");
  expect_pipeline(source);
  return [out, source] {
    write_pipeline(out, source, read_weights(open_model_folder(out).weights));
  };
}

/// A network of classes that is shown none learns as if it had none.
void tell_missing_classes(const StoreReader& store, int64_t num_classes) {
  if (num_classes > 0 && store.info().class_names.empty())
    note(
        fmt::format("{}: has no classes, and the model has {}: it is trained "
                    "without labels",
                    store.path().string(), num_classes));
}

/// A key of the masked generator that is the store's where it is 0. Throws
/// ConfigError for another number, which would make other tokens of them.
void fit_to_store(const char* key, int64_t& value, int64_t stored,
                  const StoreReader& store) {
  if (value == 0) value = stored;
  if (stored != 0 && value != stored)
    throw ConfigError(
        fmt::format("config: model.{} must be {}, that of {}, got {}", key,
                    stored, store.path().string(), value));
}

}  // namespace

std::optional<LoadedCodec> remembered_codec(const StoreReader& store,
                                            c10::Device device,
                                            const std::string& so) {
  const auto& record = store.info().codec;
  const fs::path path = record.path();
  std::string reason = "is not there";
  if (is_codec_there(path)) try {
      auto codec = load_codec(path, device);
      if (codec.sha256 == record.sha256()) return codec;
      reason = "has other weights now";
    } catch (const std::runtime_error& error) {
      reason = fmt::format("cannot be loaded ({})", error.what());
    }
  note(fmt::format("{}: its codec was at \"{}\", which {}: {}",
                   store.path().string(), path.string(), reason, so));
  return {};
}

void prepare_diffusion(Prepared& prepared, const ModelClass& known,
                       const TrainJob& job) {
  auto& config = prepared.config;
  auto& setup = prepared.setup;
  if (!config.diffusion) config.diffusion.emplace();
  const auto store = add_stores(setup, prepared.records, config);
  if (store->info().kind == "tokens")
    throw ConfigError(config.data.train +
                      ": holds tokens, and a denoiser learns latents; "
                      "encode with --kind latents");
  if (store->info().grid_shapes.size() != 1)
    throw ConfigError(fmt::format(
        "{}: a denoiser learns latents of one shape, and the store has {}; "
        "encode with --size",
        config.data.train, store->info().grid_shapes.size()));
  auto keys = keys_of(config.model);
  known.fit(keys,
            {.grid_shape = store->info().grid_shapes.front(),
             .num_classes = int64_t(store->info().class_names.size()),
             .learned_variance =
                 config.diffusion->scheduler.schedule.variance_type.starts_with(
                     "learned")});
  const auto denoiser = make_model(prepared, known, keys).denoiser;
  prepared.class_names = store->info().class_names;
  prepared.latents_by = store->info().codec;
  LatentSpace space{.grid_shape = store->info().grid_shapes.front(),
                    .mean = store->info().mean,
                    .std = store->info().std,
                    .class_names = store->info().class_names,
                    .codec = store->info().codec,
                    .image_size = image_size_of(*store)};
  if (const auto& preview = store->info().preview) {
    space.preview_matrix = preview->matrix;
    space.preview_bias = preview->bias;
  }
  if (const auto which = space.constant_channels(); !which.empty())
    note(fmt::format("{}: {}", config.data.train, which));
  setup.trainable =
      std::make_shared<LatentDiffusion>(denoiser, *config.diffusion, space);
  expect_takes(*denoiser, space.grid_shape);
  tell_missing_classes(*store, denoiser->num_classes());
  setup.to_images = [](const at::Tensor& latents) {
    return latents.narrow(1, 0, 1);
  };
  const auto codec = remembered_codec(*store, job.device, kNoPreviews);
  if (codec)
    setup.to_images = [codec = *codec, device = job.device,
                       size = space.image_size](const at::Tensor& latents) {
      return cut_to(codec.codec->decode(latents.to(device)).to(torch::kCPU),
                    size);
    };
  prepared.files = {"scheduler_config.json", "latent_space.json"};
  const auto of_pipeline = pipeline_files();
  prepared.files.insert(prepared.files.end(), of_pipeline.begin(),
                        of_pipeline.end());
  const auto scheduler = config.diffusion->scheduler;
  if (job.pipeline)
    prepared.leave_pipeline = pipeline_maker(
        job.out, {.denoiser_class = known.name,
                  .denoiser_config = keys_of(config.model),
                  .scheduler = scheduler,
                  .label_dropout = config.diffusion->objective.label_dropout,
                  .space = space,
                  .codec = codec ? codec->path : fs::path()});
  setup.save_model = [=, out = job.out](const TensorFile&) {
    write_scheduler_config(out / "scheduler_config.json", scheduler);
    write_latent_space(out / "latent_space.json", space);
  };
}

void prepare_generator(Prepared& prepared, const ModelClass& known,
                       const TrainJob& job) {
  auto& config = prepared.config;
  auto& setup = prepared.setup;
  const auto store = add_stores(setup, prepared.records, config);
  const auto& info = store->info();
  if (info.kind != "tokens" || info.grid_shapes.size() != 1)
    throw ConfigError(
        fmt::format("{}: a {} learns tokens, of grids of one size",
                    config.data.train, known.name));
  MaskedGeneratorConfig model_config;
  read_config(keys_of(config.model), model_config, "model");
  const auto& shape = info.grid_shapes[0];
  fit_to_store("num_codes", model_config.num_codes, info.codec.num_codes(),
               *store);
  fit_to_store("num_levels", model_config.num_levels, shape[0], *store);
  fit_to_store("grid_height", model_config.grid_height, shape[1], *store);
  fit_to_store("grid_width", model_config.grid_width, shape[2], *store);
  const auto num_classes = int64_t(info.class_names.size());
  if (model_config.num_classes == 0) model_config.num_classes = num_classes;
  if (model_config.num_classes < num_classes)
    throw ConfigError(fmt::format(
        "config: model.num_classes must be at least the {} classes of {}, got "
        "{}",
        num_classes, config.data.train, model_config.num_classes));
  tell_missing_classes(*store, model_config.num_classes);
  const auto model = make_model(prepared, known, write_config(model_config));
  prepared.class_names = info.class_names;
  prepared.latents_by = info.codec;
  setup.trainable = known.trainable(model, *config.loss);
  const auto space = token_space(*store);
  setup.to_images = [K = model_config.num_codes](const at::Tensor& tokens) {
    return tokens.narrow(1, 0, 1).to(torch::kFloat) / double(K);
  };
  if (const auto codec = remembered_codec(*store, job.device, kNoPreviews);
      codec && codec->tokenizer)
    setup.to_images = [tokenizer = codec->tokenizer, device = job.device,
                       size = space.image_size](const at::Tensor& tokens) {
      return cut_to(tokenizer->detokenize(tokens.to(device)).to(torch::kCPU),
                    size);
    };
  prepared.files = {"token_space.json"};
  setup.save_model = [space, out = job.out](const TensorFile&) {
    write_token_space(out, space);
  };
}

}  // namespace calotype
