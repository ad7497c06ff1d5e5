#include "models/initial_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/hash.h"
#include "diffusion/latent_space.h"
#include "diffusion/scheduler_config.h"
#include "models/classifier_model.h"
#include "models/convert/convert.h"
#include "models/pipeline_folder.h"
#include "models/token_space.h"
#include "nn/model_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// What lies beside the weights of a run of ours.
void read_descriptions(const fs::path& folder, InitialModel& initial) {
  if (fs::exists(folder / "class_names.json"))
    initial.class_names = read_class_names(folder);
  if (fs::exists(folder / "token_space.json")) {
    const auto space = read_token_space(folder);
    initial.class_names = space.class_names;
    initial.codec = space.codec;
  }
  if (fs::exists(folder / "latent_space.json")) {
    const auto space = read_latent_space(folder / "latent_space.json");
    initial.class_names = space.class_names;
    initial.codec = space.codec;
  }
  if (fs::exists(folder / "scheduler_config.json"))
    initial.prediction_type =
        read_scheduler_config(folder / "scheduler_config.json")
            .schedule.prediction_type;
}

/// What a run of ours learnt by; a distillation's loss is another one's.
void read_run(const fs::path& file, InitialModel& initial) {
  const auto run = read_json_object(file);
  const auto config = run.find("config");
  if (config == run.end() || !config->is_object() ||
      !config->value("distill", Json()).is_null())
    return;
  const auto take = [&](const char* key, std::optional<Json>& part) {
    if (config->value(key, Json()).is_object()) part = (*config)[key];
  };
  take("loss", initial.loss);
  take("diffusion", initial.diffusion);
}

InitialModel of_folder(const fs::path& path) {
  const auto folder = open_model_folder(path);
  const auto& known = expect_model_class(
      folder, "a model", [](const ModelClass&) { return true; });
  InitialModel initial{.where = path.string(),
                       .known = &known,
                       .model = known.load(folder),
                       .sha256 = weights_sha256(folder),
                       .latents_of = folder.latents_of};
  read_descriptions(path, initial);
  if (fs::exists(path / "run.json")) read_run(path / "run.json", initial);
  return initial;
}

/// Of a DiTPipeline, if there is a name for each.
std::vector<std::string> names_in_order(
    const std::map<int64_t, std::string>& names) {
  std::vector<std::string> list;
  for (const auto& [number, name] : names) {
    if (number != int64_t(list.size())) return {};
    list.push_back(name);
  }
  return list;
}

InitialModel of_pipeline(const fs::path& path, bool wants_codec) {
  if (wants_codec) return of_folder(codec_folder(path));
  const auto pipeline = open_pipeline_folder(path);
  auto initial = of_folder(pipeline.denoiser);
  initial.class_names = names_in_order(pipeline.class_names);
  initial.prediction_type =
      read_scheduler_config(pipeline.scheduler).schedule.prediction_type;
  return initial;
}

InitialModel of_file(const fs::path& path, bool wants_codec) {
  const auto conversion = convert_checkpoint(path, {});
  for (const auto& [part, converted] : conversion.models) {
    const auto* known = find_model_class(converted.class_name);
    if (conversion.models.size() > 1 && is_codec(known->kind) != wants_codec)
      continue;
    InitialModel initial{.where = path.string(),
                         .known = known,
                         .model = known->make(converted.config),
                         .sha256 = sha256_hex_of_file(path)};
    load_weights(*initial.model.module, converted.weights, initial.where);
    return initial;
  }
  throw ConfigError(fmt::format("{}: holds no {}", path.string(),
                                wants_codec ? "codec" : "denoiser"));
}

}  // namespace

InitialModel open_initial_model(const fs::path& path, bool wants_codec) {
  if (fs::is_regular_file(path)) return of_file(path, wants_codec);
  if (is_pipeline_folder(path)) return of_pipeline(path, wants_codec);
  return of_folder(path);
}

}  // namespace calotype
