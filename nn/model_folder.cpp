#include "nn/model_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/utils.h>

#include <algorithm>

#include "core/check.h"
#include "core/error.h"
#include "core/files.h"
#include "core/note.h"
#include "nn/old_attention.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigName = "config.json";

/// What somebody may have meant who names `path`, which is no model folder.
std::string what_it_is(const fs::path& path) {
  if (fs::exists(path / "store.json"))
    return "it is a latent store, and a model is named first";
  if (fs::exists(path / "run.json"))
    return "it is a training run that has saved no model yet";
  if (!fs::exists(path / "model_index.json"))
    return fmt::format("it has no {}", kConfigName);
  std::vector<std::string> parts;
  for (const auto& entry : fs::directory_iterator(path))
    if (fs::exists(entry.path() / kConfigName))
      parts.push_back(entry.path().filename().string());
  std::sort(parts.begin(), parts.end());
  return fmt::format("it is a pipeline; name one of its parts: {}",
                     fmt::join(parts, ", "));
}

/// Calls visit(name, tensor) for every parameter and buffer.
template <class Visit>
void for_each_tensor(const torch::nn::Module& module, Visit&& visit) {
  for (const auto& item : module.named_parameters())
    visit(item.key(), item.value());
  for (const auto& item : module.named_buffers())
    visit(item.key(), item.value());
}

}  // namespace

void expect_model_folder(const fs::path& path) {
  if (fs::is_directory(path)) {
    if (fs::exists(path / kConfigName)) return;
    throw ConfigError(fmt::format("{}: not a model folder, {}", path.string(),
                                  what_it_is(path)));
  }
  throw ConfigError(fs::exists(path)
                        ? path.string() + ": is a file, expected a model folder"
                        : path.string() + ": no such model folder");
}

ModelFolder open_model_folder(const fs::path& path) {
  expect_model_folder(path);
  const auto whole = read_json_file(path / kConfigName);
  if (!whole.is_object() || !whole.contains("_class_name") ||
      !whole["_class_name"].is_string())
    throw DataError(
        fmt::format("{}: no _class_name", (path / kConfigName).string()));
  ModelFolder folder{.path = path,
                     .class_name = whole["_class_name"].get<std::string>(),
                     .config = Json::object(),
                     .weights = find_weights(path)};
  for (const auto& item : whole.items())
    if (item.key().rfind('_', 0) != 0) folder.config[item.key()] = item.value();
  if (const auto said = whole.find("_latents_of"); said != whole.end())
    read_config(*said, folder.latents_of,
                (path / kConfigName).string() + ": _latents_of");
  return folder;
}

void expect_class(const ModelFolder& folder, const std::string& class_name) {
  if (folder.class_name != class_name)
    throw ConfigError(fmt::format("{}: expected a {}, got a {}",
                                  folder.path.string(), class_name,
                                  folder.class_name));
}

std::string weights_sha256(const ModelFolder& folder) {
  return sha256_of_weights(folder.weights);
}

void load_weights(torch::nn::Module& module, const ModelFolder& folder) {
  const auto where = folder.weights.path.string();
  auto file = read_weights(folder.weights);
  if (modernise_attention(module, file) > 0)
    note(where +
         ": attention under its names of 2022 (query, key, value, proj_attn, "
         "or convolutions) is read as to_q, to_k, to_v, to_out.0");
  load_weights(module, file, where);
}

Json published_keys(const ModelFolder& folder,
                    const std::vector<std::string>& known,
                    const std::vector<std::string>& nullable) {
  if (folder.class_name.starts_with("Calotype")) return folder.config;
  const auto holds = [](const std::vector<std::string>& keys,
                        const std::string& key) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  };
  Json keys = Json::object();
  std::vector<std::string> unknown;
  for (const auto& item : folder.config.items()) {
    if (!holds(known, item.key()))
      unknown.push_back(json_text(item.key()));
    else if (!item.value().is_null() || holds(nullable, item.key()))
      keys[item.key()] = item.value();
  }
  if (!unknown.empty())
    note(fmt::format("{}: keys that {} does not have are left out: {}",
                     (folder.path / kConfigName).string(), folder.class_name,
                     fmt::join(unknown, ", ")));
  return keys;
}

void load_weights(torch::nn::Module& module, const TensorFile& file,
                  const std::string& where) {
  const torch::NoGradGuard no_grad;
  size_t num_used = 0;
  for_each_tensor(module, [&](const std::string& name, torch::Tensor tensor) {
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end())
      throw DataError(fmt::format("{}: {} is missing", where, name));
    if (found->second.sizes() != tensor.sizes())
      throw DataError(fmt::format("{}: {} must be {}, got {}", where, name,
                                  shape_text(tensor.sizes()),
                                  shape_text(found->second.sizes())));
    tensor.copy_(found->second);
    ++num_used;
  });
  if (num_used == file.tensors.size()) return;
  std::map<std::string, bool> known;
  for_each_tensor(module, [&](const std::string& name, const auto&) {
    known[name] = true;
  });
  for (const auto& item : file.tensors)
    if (!known.count(item.first))
      throw DataError(
          fmt::format("{}: unknown parameter {}", where, item.first));
}

TensorFile weights_of(const torch::nn::Module& module) {
  TensorFile file{.tensors = {}, .metadata = {{"format", "pt"}}};
  for_each_tensor(
      module, [&](const std::string& name, const torch::Tensor& tensor) {
        file.tensors[name] = tensor.detach().to(torch::kCPU).contiguous();
      });
  return file;
}

void save_model_folder(const fs::path& path, const std::string& class_name,
                       const Json& config, const TensorFile& weights) {
  Json whole{{"_class_name", class_name}};
  whole.update(config);
  // A key of ours that diffusers does not know: it need not see its default.
  if (whole.value("decoder_block_out_channels", Json(0)).is_null())
    whole.erase("decoder_block_out_channels");
  make_folder(path);
  write_safetensors(path / kWeightsName, weights);
  write_file_atomic(path / kConfigName, json_text(whole, 2) + "\n");
}

}  // namespace calotype
