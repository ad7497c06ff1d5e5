#include "models/pipeline_export.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/check.h"
#include "core/error.h"
#include "core/files.h"
#include "core/note.h"
#include "denoisers/dit_transformer2d_model.h"
#include "denoisers/unet2d_model.h"
#include "models/codec.h"
#include "models/pipeline_codec.h"
#include "models/pipeline_folder.h"
#include "models/pixel_codec.h"
#include "nn/model_folder.h"
#include "vae/autoencoder_kl.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kNullClass = 1000;  // of DiTPipeline, whatever the table has
constexpr const char* kVersion = "0.30.0";  // which has all that is named here

bool is_dit(const PipelineSource& source) {
  return source.denoiser_class == DiTTransformer2DModelImpl::kClassName;
}

[[noreturn]] void refuse(const std::string& reason) {
  throw ConfigError("--pipeline: " + reason);
}

/// The classes that the network tells apart.
int64_t num_classes(const PipelineSource& source) {
  const auto& config = source.denoiser_config;
  if (is_dit(source)) return config["num_embeds_ada_norm"].get<int64_t>();
  const auto& rows = config["num_class_embeds"];
  return rows.is_null() ? 0 : rows.get<int64_t>() - 1;
}

void expect_dit(const PipelineSource& source) {
  if (num_classes(source) > kNullClass)
    refuse(fmt::format(
        "a DiTPipeline takes class {} for none, and the network has {} classes",
        kNullClass, num_classes(source)));
  const auto edge = source.denoiser_config["sample_size"].get<int64_t>();
  if (edge != source.space.grid_shape[1])
    refuse(fmt::format(
        "a DiTPipeline draws grids of sample_size {}, the latents have {}",
        edge, source.space.grid_shape[1]));
}

void expect_unet(const PipelineSource& source) {
  if (num_classes(source) > 0 && source.label_dropout == 0)
    refuse(
        "an LDMPipeline shows its network no class, and this one learns "
        "nothing of that; say diffusion.objective.label_dropout 0.1, or "
        "model.num_class_embeds null");
  const auto levels = source.denoiser_config["block_out_channels"].size();
  const auto step = int64_t{1} << (levels - 1);
  if (source.space.grid_shape[1] % step != 0)
    refuse(fmt::format(
        "a UNet2DModel of {} levels takes grids of multiples of {} in "
        "diffusers, the latents have {}",
        levels, step, source.space.grid_shape[1]));
}

/// Pipelines ask what not every scheduler has.
void expect_scheduler(const PipelineSource& source) {
  const auto& name = source.scheduler.class_name;
  const bool changes_input = name.find("Euler") != std::string::npos ||
                             name.starts_with("EDM") ||
                             name == "HeunDiscreteScheduler";
  if (name.starts_with("FlowMatch") || name.starts_with("Calotype") ||
      (is_dit(source) && changes_input))
    refuse(fmt::format(
        "{} does not draw with a {}; say DDIMScheduler or, of a flow, "
        "DPMSolverMultistepScheduler in diffusion.scheduler",
        is_dit(source) ? "a DiTPipeline" : "an LDMPipeline", name));
}

void expect_codec(const PipelineSource& source) {
  if (PixelCodec::named(source.codec))
    refuse("diffusers has no class for latents that are pixels");
  const auto name = open_model_folder(source.codec).class_name;
  if (name.starts_with("Calotype"))
    refuse(fmt::format("diffusers has no {}, which is the codec", name));
  if (name != AutoencoderKLImpl::kClassName && single_scale(source.space) == 0)
    refuse(fmt::format(
        "latents of a {} are scaled by one number there, and the run "
        "normalises each channel by its own; only an AutoencoderKL can take "
        "that in",
        name));
}

/// A U-Net of no class: its vector is a part of the time's from here on.
TensorFile without_classes(TensorFile weights, Json& config) {
  config["num_class_embeds"] = nullptr;
  const auto table = weights.tensors.find("class_embedding.weight");
  if (table == weights.tensors.end()) return weights;
  auto& bias = weights.tensors.at("time_embedding.linear_2.bias");
  bias = bias + table->second[table->second.size(0) - 1];
  weights.tensors.erase(table);
  return weights;
}

/// A DiT whose null class is where DiTPipeline looks for it.
TensorFile with_null_class(TensorFile weights, Json& config) {
  for (auto& [name, table] : weights.tensors) {
    if (!name.ends_with("class_embedder.embedding_table.weight")) continue;
    const auto rows = table.size(0);
    const auto none = table.narrow(0, rows - 1, 1);
    table = at::cat({table, none.expand({kNullClass + 1 - rows, -1})});
  }
  config["num_embeds_ada_norm"] = kNullClass;
  return weights;
}

void write_denoiser(const fs::path& folder, const PipelineSource& source,
                    const TensorFile& weights) {
  auto config = source.denoiser_config;
  config["sample_size"] = source.space.grid_shape[1];
  const auto changed = is_dit(source) ? with_null_class(weights, config)
                                      : without_classes(weights, config);
  save_model_folder(folder, source.denoiser_class, config, changed);
}

void write_codec(const fs::path& folder, const PipelineSource& source,
                 const LoadedCodec& codec) {
  auto config = codec.config;
  auto weights = read_weights(open_model_folder(codec.path).weights);
  config["scaling_factor"] = 1.0;
  if (const auto scale = single_scale(source.space); scale != 0)
    config["scaling_factor"] = scale;
  else
    weights = normalised_codec(std::move(weights), config, source.space);
  for (const char* key : {"shift_factor", "latents_mean", "latents_std"})
    if (config.contains(key)) config[key] = nullptr;
  save_model_folder(folder, codec.class_name, config, weights);
}

/// As the run's, but that a DiTPipeline shows its scheduler no variances.
SchedulerConfig scheduler_of(const PipelineSource& source) {
  auto scheduler = source.scheduler;
  if (is_dit(source) && scheduler.schedule.variance_type == "learned_range") {
    note(
        "--pipeline: a DiTPipeline leaves out the variances that the network "
        "learns; DDIMScheduler walks there");
    scheduler.class_name = "DDIMScheduler";
    scheduler.schedule.variance_type = ScheduleConfig().variance_type;
  }
  return scheduler;
}

void tell_differences(const PipelineSource& source, const LoadedCodec& codec) {
  const auto& size = source.space.image_size;
  const auto edge = source.space.grid_shape[1] * codec.codec->downsample();
  if (!is_dit(source) && num_classes(source) > 0)
    note(
        "--pipeline: an LDMPipeline knows no classes; it draws what generate "
        "--class none does");
  if (!size.empty() && (size[0] != edge || size[1] != edge))
    note(fmt::format("--pipeline: its pictures are of {}x{}, not cut to {}x{}",
                     edge, edge, size[0], size[1]));
}

struct PartNames {
  const char* pipeline;
  const char* denoiser;
  const char* codec;
};

PartNames names_of(const PipelineSource& source) {
  if (is_dit(source)) return {"DiTPipeline", "transformer", "vae"};
  return {"LDMPipeline", "unet", "vqvae"};
}

}  // namespace

void expect_pipeline(const PipelineSource& source) {
  if (is_dit(source))
    expect_dit(source);
  else if (source.denoiser_class == UNet2DModelImpl::kClassName)
    expect_unet(source);
  else
    refuse(fmt::format("diffusers has no pipeline for a {}",
                       source.denoiser_class));
  const auto& shape = source.space.grid_shape;
  if (shape[1] != shape[2])
    refuse(fmt::format("pipelines draw square grids, the latents have {}",
                       shape_text(shape)));
  expect_scheduler(source);
  expect_codec(source);
}

void write_pipeline(const fs::path& out, const PipelineSource& source,
                    const TensorFile& weights) {
  expect_pipeline(source);
  const auto codec = load_codec(source.codec, at::kCPU);
  tell_differences(source, codec);
  const auto names = names_of(source);
  const auto scheduler = scheduler_of(source);
  write_codec(out / names.codec, source, codec);
  write_denoiser(out / names.denoiser, source, weights);
  make_folder(out / "scheduler");
  write_scheduler_config(out / "scheduler" / "scheduler_config.json",
                         scheduler);
  Json keys{{"_diffusers_version", kVersion}};
  if (is_dit(source) && !source.space.class_names.empty()) {
    auto& labels = keys["id2label"] = Json::object();
    for (size_t i = 0; i < source.space.class_names.size(); ++i)
      labels[std::to_string(i)] = source.space.class_names[i];
  }
  write_pipeline_index(out, names.pipeline, keys,
                       {{"scheduler", scheduler.class_name},
                        {names.denoiser, source.denoiser_class},
                        {names.codec, codec.class_name}});
}

std::vector<std::string> pipeline_files() {
  std::vector<std::string> files{"model_index.json",
                                 "scheduler/scheduler_config.json"};
  for (const char* part : {"unet", "transformer", "vae", "vqvae"})
    for (const char* name : {"config.json", kWeightsName})
      files.push_back(fmt::format("{}/{}", part, name));
  return files;
}

}  // namespace calotype
