#include "nn/model_folder.h"

#include <torch/torch.h>

#include "core/check.h"
#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigName = "config.json";
constexpr const char* kWeightsName = "diffusion_pytorch_model.safetensors";

fs::path find_weights(const fs::path& folder) {
  for (const char* name :
       {kWeightsName, "diffusion_pytorch_model.fp16.safetensors",
        "diffusion_pytorch_model.bf16.safetensors"})
    if (fs::exists(folder / name)) return folder / name;
  throw ConfigError(fmt::format("{}: no weights here, expected {}",
                                folder.string(), kWeightsName));
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

ModelFolder open_model_folder(const fs::path& path) {
  if (!fs::is_directory(path))
    throw ConfigError(fmt::format("{}: no such model folder", path.string()));
  if (!fs::exists(path / kConfigName))
    throw ConfigError(fmt::format("{}: not a model folder, it has no {}",
                                  path.string(), kConfigName));
  const auto whole = read_json_file(path / kConfigName);
  if (!whole.is_object() || !whole.contains("_class_name") ||
      !whole["_class_name"].is_string())
    throw DataError(
        fmt::format("{}: no _class_name", (path / kConfigName).string()));
  ModelFolder folder{.path = path,
                     .class_name = whole["_class_name"].get<std::string>(),
                     .config = Json::object(),
                     .weights_path = find_weights(path)};
  for (const auto& item : whole.items())
    if (item.key().rfind('_', 0) != 0) folder.config[item.key()] = item.value();
  return folder;
}

void expect_class(const ModelFolder& folder, const std::string& class_name) {
  if (folder.class_name != class_name)
    throw ConfigError(fmt::format("{}: expected a {}, got a {}",
                                  folder.path.string(), class_name,
                                  folder.class_name));
}

std::string weights_sha256(const ModelFolder& folder) {
  return sha256_hex_of_file(folder.weights_path);
}

void load_weights(torch::nn::Module& module, const ModelFolder& folder) {
  load_weights(module, read_safetensors(folder.weights_path),
               folder.weights_path.string());
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
  make_folder(path);
  write_safetensors(path / kWeightsName, weights);
  write_file_atomic(path / kConfigName, whole.dump(2) + "\n");
}

}  // namespace calotype
