#include "tools/train.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/disk_space.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/note.h"
#include "core/runtime.h"
#include "core/stop_signal.h"
#include "models/codec_cost.h"
#include "nn/model_folder.h"
#include "nn/precision.h"
#include "nn/row_memory.h"
#include "nn/sliced.h"
#include "outputs/apart.h"
#include "tools/config_override.h"
#include "tools/named_configs.h"
#include "tools/prepare_training.h"
#include "tools/stored_config.h"
#include "tools/train_group.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

RunContents contents_of(const Prepared& prepared, const TrainJob& job) {
  RunContents contents{
      .files = {"config.json", "diffusion_pytorch_model.safetensors"},
      .brought = job.brought};
  for (const auto* names : {&prepared.files, &job.brought})
    contents.files.insert(contents.files.end(), names->begin(), names->end());
  for (const auto& [key, record] : prepared.records)
    contents.data[key] = record();
  return contents;
}

int64_t num_parameters(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const auto& parameter : module.parameters()) count += parameter.numel();
  return count;
}

/// Of the first checkpoint, which has the weights, an average of them and two
/// moments, and of the model.
int64_t least_run_bytes(int64_t num_parameters) {
  return num_parameters * (4 + 1) * int64_t(sizeof(float));
}

/// What a sample of a batch costs a step, by steps of a few on the model, which
/// is not to be trained afterwards.
RowCost trained_row(Prepared& prepared, c10::Device device) {
  constexpr int64_t kRows = 4;
  auto& trainable = *prepared.setup.trainable;
  trainable.trained_module().to(device);
  trainable.trained_module().train();
  const PrecisionScope precision(
      resolve_precision(prepared.config.training.precision, device));
  const SliceScope whole(1);
  auto batch = prepared.setup.data->next();
  const auto rows = std::min(kRows, batch.samples.size(0));
  for (auto* tensor :
       {&batch.data, &batch.logvar, &batch.labels, &batch.samples})
    if (tensor->defined()) *tensor = tensor->narrow(0, 0, rows);
  for (auto* tensor : {&batch.data, &batch.logvar, &batch.labels})
    if (tensor->defined()) *tensor = tensor->to(device);
  trainable.losses(batch).total.backward();  // gradients are there from now on
  const TensorMemory memory;
  const double begin = monotonic_s();
  trainable.losses(batch).total.backward();
  return {.bytes = with_scratch(memory.peak_bytes() / rows),
          .seconds = (monotonic_s() - begin) / double(rows)};
}

/// Of all steps. Gradients, an average and two moments come to the weights.
Json expected(Prepared& prepared, int64_t num_parameters, c10::Device device) {
  const auto& training = prepared.config.training;
  const auto batch = std::min(training.batch_size, prepared.setup.data->size());
  const auto row = trained_row(prepared, device);
  Json found{
      {"seconds", row.seconds * double(batch) * double(training.accumulate) *
                      double(training.steps)},
      {"memory_bytes", memory_in_use() + batch * row.bytes +
                           num_parameters * 4 * int64_t(sizeof(float))}};
  if (memory_limit() > 0) found["memory_limit_bytes"] = memory_limit();
  return found;
}

/// A name has neither a folder nor an ending.
Json read_file_or_name(const fs::path& path) {
  std::error_code ignored;
  if (fs::exists(path, ignored) || path.has_parent_path() ||
      path.has_extension())
    return read_json_file(path);
  return named_config(path.string());
}

/// The object of that key, which is made if it is not there.
Json& object_of(Json& json, const char* key, const std::string& where) {
  auto& inner = json[key];
  if (inner.is_null()) inner = Json::object();
  if (!inner.is_object())
    throw ConfigError(fmt::format("{}: {}: expected {{...}}, got {}", where,
                                  key, config_detail::shown(inner)));
  return inner;
}

void choose(Json& json, const TrainChoices& choices, const std::string& where) {
  if (!json.is_object()) return;  // told when it is read
  auto& data = object_of(json, "data", where);
  const auto cached = [&](const std::string& spec) {
    return choices.caches ? "cached:" + spec : spec;
  };
  if (!choices.data.empty()) {
    data["train"] = cached(choices.data);
    const auto validation = data.value("validation", Json(""));
    if (choices.validation.empty() && validation != "") {
      note(
          fmt::format("{}: validates on nothing, since --data takes the place "
                      "of its data; --validation names some",
                      where));
      data["validation"] = "";
    }
  } else if (choices.caches && data.contains("train") &&
             data["train"].is_string() && data["train"] != "") {
    data["train"] = cached(data["train"].get<std::string>());
  }
  if (!choices.validation.empty())
    data["validation"] = cached(choices.validation);
  if (choices.size > 0) {
    object_of(data, "preprocessing", where)["size"] = choices.size;
    auto& model = object_of(json, "model", where);
    if (model.contains("sample_size")) model["sample_size"] = choices.size;
  }
  if (!choices.init.empty()) json["init"] = choices.init;
  if (!choices.teacher.empty())
    object_of(json, "distill", where)["teacher"] = choices.teacher;
  if (choices.steps > 0)
    object_of(json, "training", where)["steps"] = choices.steps;
}

Json train_in(TrainGroup& group, const TrainJob& job) {
  const bool is_new = !fs::exists(job.out / "run.json");
  if (is_new)
    expect_apart(job.out, {path_of_source(job.config.data.train),
                           path_of_source(job.config.data.validation)});
  auto prepared = prepare_training(job);
  const auto& config = prepared.config;
  const std::string class_name = config.model["_class_name"];
  const auto parameters = num_parameters(prepared.setup.trainable->module());
  const auto needs = least_run_bytes(parameters);
  if (job.dry_run)
    return {{"parameters", parameters},
            {"samples", prepared.setup.data->size()},
            {"expected", expected(prepared, parameters, job.device)},
            {"needs_bytes", needs},
            {"free_bytes", free_bytes(job.out)},
            {"config", write_config(config)}};

  const auto resolved = write_config(config);
  const auto contents = contents_of(prepared, job);
  auto run = group.open({resolved, contents.data}, job.out, [&] {
    if (is_new) expect_space(job.out, needs);
    return RunFolder(job.out, resolved, job.fresh, completed_config, contents);
  });
  auto& setup = prepared.setup;
  setup.seed = config.seed;
  setup.device = job.device;
  setup.stop_after = job.stop_after;
  setup.label = class_name;
  setup.save_model = [&, also = setup.save_model](const TensorFile& weights) {
    auto keys = config.model;
    keys.erase("_class_name");
    save_model_folder(job.out, class_name, keys, weights);
    if (also) also(weights);
  };
  install_save_signal();
  Trainer trainer(config.training, std::move(setup), run);
  TrainingResult result;
  group.together([&] { result = trainer.run(); });
  if (run.writes() && prepared.leave_pipeline &&
      fs::exists(job.out / "config.json"))
    prepared.leave_pipeline();
  return {{"run", job.out.string()},
          {"parameters", parameters},
          {"step", result.step},
          {"steps_per_s", result.steps_per_s},
          {"samples_per_s", result.samples_per_s},
          {"elapsed_s", result.elapsed_s},
          {"peak_memory_mib", double(peak_memory_bytes()) / (1 << 20)},
          {"last", result.last}};
}

}  // namespace

TrainConfig read_train_config(const fs::path& path,
                              const std::vector<std::string>& overrides,
                              const TrainChoices& choices) {
  auto json = read_file_or_name(path);
  choose(json, choices, path.string());
  for (const auto& text : overrides) override_key(json, text);
  TrainConfig config;
  read_config(json, config, path.string());
  if (!config.model.is_object() ||
      !config.model.value("_class_name", Json("")).is_string())
    throw ConfigError(
        fmt::format("{}: model: expected {{\"_class_name\": ..., ...}}, got {}",
                    path.string(), config_detail::shown(config.model)));
  return config;
}

Json train(const TrainJob& job) {
  TrainGroup group(job.together);
  return group.run([&] { return train_in(group, job); });
}

}  // namespace calotype
