#include "models/convert/diffusers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/note.h"
#include "models/registry.h"
#include "nn/checkpoint.h"
#include "nn/model_folder.h"
#include "nn/tensor_reader.h"
#include "nn/weight_files.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// The type that all of its real numbers have, if it is one.
std::optional<at::ScalarType> common_type(const Checkpoint& checkpoint) {
  std::optional<at::ScalarType> common;
  for (const auto& [name, stored] : checkpoint.state_dict().tensors) {
    const auto type = scalar_type(stored.type);
    if (!c10::isFloatingType(type)) continue;
    if (common && *common != type) return {};
    common = type;
  }
  return common;
}

}  // namespace

ConvertedModel convert_diffusers(const fs::path& path,
                                 const fs::path& weights) {
  auto folder = open_model_folder(path);
  if (!fs::is_directory(weights))
    folder.weights = weights.extension() == ".json"
                         ? weights_of_index(weights)
                         : WeightFiles{.path = weights};
  const auto& known =
      expect_model_class(folder, "a model that has a class here",
                         [](const ModelClass&) { return true; });
  const auto type = common_type(Checkpoint::open(weights));
  const auto model = known.load(folder);
  ConvertedModel result{.class_name = known.name,
                        .config = model.config,
                        .weights = weights_of(*model.module)};
  leave_out_own_keys(result.config, folder.config);
  if (type)
    for (auto& [name, tensor] : result.weights.tensors)
      if (tensor.is_floating_point()) tensor = tensor.to(*type);
  return result;
}

Conversion convert_diffusers_pipeline(const fs::path& folder) {
  const auto index = read_json_object(folder / "model_index.json");
  Conversion result{
      .kind = {.name = "diffusers", .what = "a pipeline of diffusers"}};
  result.pipeline = index.value("_class_name", "DiffusionPipeline");
  std::vector<std::string> others;
  for (const auto& [name, part] : index.items()) {
    if (name.starts_with('_')) continue;
    if (!part.is_array() || part.size() != 2 || !part[1].is_string()) {
      if (!part.is_array()) result.pipeline_keys[name] = part;
      continue;
    }
    const auto class_name = part[1].get<std::string>();
    const auto where = folder / name;
    if (name == "scheduler" && fs::exists(where / "scheduler_config.json")) {
      result.scheduler = read_scheduler_config(where / "scheduler_config.json");
    } else if (find_model_class(class_name) && fs::is_directory(where)) {
      result.models.emplace_back(name, convert_diffusers(where, where));
      result.num_used +=
          int64_t(Checkpoint::open(where).state_dict().tensors.size());
    } else {
      others.push_back(fmt::format("{} ({})", name, class_name));
    }
  }
  if (!others.empty())
    note(fmt::format("{}: parts that have no class here are left out: {}",
                     folder.string(), fmt::join(others, ", ")));
  if (result.models.empty())
    throw NoClassHere(fmt::format(
        "{}: none of the pipeline's parts has a class here", folder.string()));
  if (!others.empty() && result.models.size() == 1) {
    result.pipeline.clear();
    result.models.front().first.clear();
  }
  return result;
}

}  // namespace calotype
