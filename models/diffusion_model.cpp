#include "models/diffusion_model.h"

#include <fmt/format.h>

#include "core/error.h"
#include "denoisers/dit_transformer2d_model.h"
#include "denoisers/unet2d_model.h"
#include "diffusion/scheduler_config.h"
#include "models/codec.h"
#include "models/pipeline_folder.h"
#include "models/registry.h"
#include "nn/sample_size.h"

namespace calotype {
namespace {

AnyModel load_denoiser(const std::filesystem::path& path, c10::Device device) {
  auto model = load_any_model(open_model_folder(path), "a denoiser",
                              [](const ModelClass& known) {
                                return known.kind == ModelKind::kDenoiser;
                              });
  model.module->to(device);
  return model;
}

/// The network of a pipeline, which must be of the class that it walks.
AnyModel load_denoiser(const PipelineFolder& pipeline, c10::Device device) {
  const auto folder = open_model_folder(pipeline.denoiser);
  const auto* known = find_model_class(folder.class_name);
  const auto* wanted = pipeline.is_dit() ? DiTTransformer2DModelImpl::kClassName
                                         : UNet2DModelImpl::kClassName;
  if (!known || known->name != wanted)
    throw ConfigError(fmt::format("{}: a {} is drawn from a {}, got a {}",
                                  folder.path.string(), pipeline.class_name,
                                  wanted, folder.class_name));
  return load_denoiser(pipeline.denoiser, device);
}

/// What the classes are called up to the last that has a name: their numbers
/// where they have none.
std::vector<std::string> names_of(const PipelineFolder& pipeline,
                                  int64_t num_classes) {
  std::vector<std::string> names;
  if (pipeline.class_names.empty()) return names;
  const auto last = pipeline.class_names.rbegin()->first;
  if (last >= num_classes)
    throw DataError(fmt::format(
        "{}: id2label names class {}, its network has {} classes",
        (pipeline.path / "model_index.json").string(), last, num_classes));
  for (int64_t i = 0; i <= last; ++i) {
    const auto found = pipeline.class_names.find(i);
    names.push_back(found == pipeline.class_names.end() ? std::to_string(i)
                                                        : found->second);
  }
  return names;
}

/// Latents as the pipeline has them: of the size that the network was trained
/// for, and scaled by one number, whatever else the codec says.
LatentSpace space_of(const PipelineFolder& pipeline, const AnyModel& model) {
  const auto where = (pipeline.denoiser / "config.json").string();
  const auto edge =
      square_sample_size(where.c_str(), model.config["sample_size"]);
  if (!edge.is_number_integer())
    throw ConfigError(fmt::format(
        "{}: sample_size must be the edge of the grids that are drawn, got {}",
        where, json_text(edge)));
  const auto D = model.config["in_channels"].get<int64_t>();
  const auto codec = load_codec(pipeline.codec, at::kCPU);
  expect_depth(codec, D, where);
  const auto scale = codec.config.value("scaling_factor", 1.0);
  if (!(scale > 0))
    throw ConfigError(fmt::format("{}: scaling_factor must be positive, got {}",
                                  (pipeline.codec / "config.json").string(),
                                  scale));
  LatentSpace space{
      .grid_shape = {D, edge.get<int64_t>(), edge.get<int64_t>()},
      .mean = std::vector<double>(size_t(D), 0),
      .std = std::vector<double>(size_t(D), 1 / scale),
      .class_names = names_of(pipeline, model.denoiser->num_classes()),
      .codec = codec_record(codec)};
  space.validate(pipeline.path.string());
  return space;
}

}  // namespace

std::shared_ptr<LatentDiffusion> load_latent_diffusion(
    const std::filesystem::path& path, c10::Device device) {
  LatentDiffusionConfig config;
  if (is_pipeline_folder(path)) {
    const auto pipeline = open_pipeline_folder(path);
    config.scheduler = read_scheduler_config(pipeline.scheduler);
    const auto model = load_denoiser(pipeline, device);
    return std::make_shared<LatentDiffusion>(model.denoiser, config,
                                             space_of(pipeline, model));
  }
  const auto model = load_denoiser(path, device);
  config.scheduler = read_scheduler_config(path / "scheduler_config.json");
  return std::make_shared<LatentDiffusion>(
      model.denoiser, config, read_latent_space(path / "latent_space.json"));
}

}  // namespace calotype
