#include "tools/inspect.h"

#include <torch/types.h>

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "evaluation/token_use.h"
#include "images/image_io.h"
#include "models/pipeline_folder.h"
#include "models/registry.h"
#include "nn/model_folder.h"
#include "store/latent_store.h"
#include "store/store_fingerprint.h"
#include "tools/inspect_checkpoint.h"
#include "training/level_bins.h"
#include "training/run_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

Json inspect_model(const fs::path& path) {
  const auto folder = open_model_folder(path);
  const auto file = read_weights(folder.weights);
  int64_t parameters = 0;
  for (const auto& item : file.tensors) parameters += item.second.numel();
  Json result{{"kind", "model folder"},
              {"class", folder.class_name},
              {"parameters", parameters},
              {"tensors", file.tensors.size()},
              {"dtype", file.tensors.empty()
                            ? "none"
                            : std::string(c10::toString(
                                  file.tensors.begin()->second.scalar_type()))},
              {"sha256", weights_sha256(folder)},
              {"config", folder.config}};
  if (const auto* known = find_model_class(folder.class_name))
    result["model"] = kind_text(known->kind);
  // Put together by `calotype average`.
  if (const auto said = file.metadata.find("calotype_average");
      said != file.metadata.end())
    result["average"] = parse_json(said->second, folder.weights.path.string());
  if (fs::exists(path / "latent_space.json"))
    result["latent_space"] = read_json_file(path / "latent_space.json");
  return result;
}

/// What a pipeline of diffusers is made of.
Json inspect_pipeline(const fs::path& path) {
  const auto index = read_json_object(path / "model_index.json");
  Json result{{"kind", "pipeline"}, {"class", index.value("_class_name", "")}};
  for (const auto& [name, value] : index.items())
    if (value.is_array() && !value.empty() && value[0] == "diffusers" &&
        name.find('/') == std::string::npos &&
        fs::exists(path / name / "config.json"))
      result[name] = inspect_model(path / name);
  const auto scheduler = path / "scheduler" / "scheduler_config.json";
  if (fs::exists(scheduler)) result["scheduler"] = read_json_file(scheduler);
  if (index.contains("id2label")) result["id2label"] = index["id2label"];
  return result;
}

/// The last validation of a run; the loss by noise level as a table.
void add_validation(Json& result, const std::vector<Json>& lines) {
  const auto last =
      std::find_if(lines.rbegin(), lines.rend(),
                   [](const Json& line) { return line.contains("val_loss"); });
  if (last == lines.rend()) return;
  result["validation"] = {{"step", (*last)["step"]},
                          {"loss", (*last)["val_loss"]}};
  const auto means = last->value("val_loss_by_noise", Json::array());
  if (means.empty()) return;
  result["validation"]["noise_level"] = last->value("noise_level", "");
  auto& table = result["validation"]["loss_by_noise"];
  for (size_t bin = 0; bin < means.size(); ++bin)
    table[level_bin_text(int64_t(bin))] = means[bin];
}

Json inspect_run(const fs::path& path) {
  const auto run = read_json_object(path / "run.json");
  Json result = fs::exists(path / "config.json")
                    ? inspect_model(path)
                    : Json{{"kind", "no weights yet"}};
  result["kind"] = "training run";
  result["version"] = run.value("version", "");
  if (fs::exists(path / "metrics.jsonl"))
    if (const auto lines = read_metrics(path / "metrics.jsonl");
        !lines.empty()) {
      result["last"] = lines.back();
      add_validation(result, lines);
    }
  if (run.contains("config"))
    result["training"] = run["config"].value("training", Json());
  return result;
}

/// How the codebook is used by all tokens of a store.
void add_token_use(Json& result, const StoreReader& store) {
  constexpr int64_t kRowsAtOnce = 8192;
  const auto num_codes = store.info().codec.num_codes();
  if (store.size() == 0 || num_codes == 0) return;
  TokenUse use(num_codes, store.info().codec.codebooks(
                              store.info().grid_shapes.front()[0]));
  const auto edge = store.info().preprocessing.value("size", int64_t{0});
  int64_t num_pixels = 0;
  for (const auto& bucket : store.buckets())
    for (size_t at = 0; at < bucket.size(); at += kRowsAtOnce) {
      const auto end = std::min(bucket.size(), at + kRowsAtOnce);
      const auto rows = store.read(torch::tensor(std::vector<int64_t>(
          bucket.begin() + long(at), bucket.begin() + long(end))));
      use.add(rows.tokens);
      for (const auto& [height, width] : rows.sizes)
        num_pixels += edge > 0 ? edge * edge : int64_t(height) * width;
    }
  use.write(result, num_pixels);
}

Json inspect_store(const fs::path& path) {
  const StoreReader store(path, /*allow_incomplete=*/true);
  Json result{{"kind", fs::is_directory(path) ? "latent store"
                                              : "shard of a latent store"},
              {"rows", store.size()},
              {"stored_bytes", store.stored_bytes()}};
  int64_t numbers = 0;
  const auto& info = store.info();
  for (size_t i = 0; i < info.grid_shapes.size(); ++i) {
    int64_t size = 1;
    for (const auto edge : info.grid_shapes[i]) size *= edge;
    numbers += size * int64_t(store.buckets()[i].size());
  }
  if (store.size() > 0) {
    result["bytes_per_image"] =
        double(store.stored_bytes()) / double(store.size());
    result["numbers_per_image"] = double(numbers) / double(store.size());
  }
  result["fingerprint"] = store_fingerprint(store);
  if (info.preview) result["preview_r2"] = info.preview->r2;
  if (info.kind == "tokens") add_token_use(result, store);
  result["info"] = write_config(info);
  return result;
}

Json inspect_png(const fs::path& path) {
  const auto bytes = read_file(path);
  const ImageLimits any_size{.max_pixels = int64_t{1} << 32};
  const auto image = decode_image(bytes, path.string(), any_size);
  Json text = Json::object();
  for (const auto& [key, value] : read_png_text(bytes, path.string()))
    text[key] = json_or_text(value);
  return {{"kind", "image"},
          {"height", image.height},
          {"width", image.width},
          {"channels", image.channels},
          {"text", text}};
}

/// A configuration, say.
bool is_other_json(const fs::path& path) {
  return path.extension() == ".json" &&
         !read_json_object(path).contains("weight_map");
}

}  // namespace

Json inspect(const fs::path& path, bool list_tensors) {
  if (fs::is_directory(path)) {
    if (fs::exists(path / "run.json")) return inspect_run(path);
    if (fs::exists(path / "store.json")) return inspect_store(path);
    if (fs::exists(path / "config.json")) return inspect_model(path);
    if (is_pipeline_folder(path)) return inspect_pipeline(path);
    throw ConfigError(fmt::format(
        "{}: neither a model folder, nor a training run, nor a latent store",
        path.string()));
  }
  if (!fs::exists(path))
    throw ConfigError(fmt::format("{}: no such file", path.string()));
  const auto head = read_file_head(path, 8);
  const std::string magic(head.begin(), head.end());
  if (magic == "\x89PNG\r\n\x1a\n") return inspect_png(path);
  if (magic.rfind("\x89HDF", 0) == 0) return inspect_store(path);
  if (is_other_json(path))
    throw ConfigError(
        path.string() +
        ": JSON that names no weights; neither a checkpoint, nor a PNG, nor a "
        "shard of a latent store");
  return inspect_checkpoint(path, list_tensors);
}

}  // namespace calotype
