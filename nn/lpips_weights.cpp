#include "nn/lpips_weights.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/note.h"
#include "nn/checkpoint.h"
#include "nn/lpips_layers.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

struct Trunk {
  const char* network;
  std::string_view begin;  // of the file's name
  const char* published;
};

constexpr Trunk kTrunks[] = {
    {"vgg", "vgg16-", "vgg16-397923af.pth"},
    {"alex", "alexnet-", "alexnet-owt-7be5be79.pth"},
    {"squeeze", "squeezenet1_1-", "squeezenet1_1-b8a52dc0.pth"},
};

/// The package has its linear layers as lin0 and as lins.0.
void rename_linear_layers(TensorFile& file) {
  constexpr int kMostLayers = 7;
  for (int i = 0; i < kMostLayers; ++i) {
    auto layer = file.tensors.extract(fmt::format("lin{}.model.1.weight", i));
    if (layer.empty()) continue;
    layer.key() = fmt::format("lins.{}.model.1.weight", i);
    file.tensors.insert(std::move(layer));
  }
}

bool has_trunk(const TensorFile& file) {
  const auto at = file.tensors.lower_bound("net.");
  return at != file.tensors.end() && at->first.starts_with("net.");
}

/// By the number and width of the linear layers.
const Trunk& trunk_of(const TensorFile& file) {
  if (file.tensors.contains("lins.6.model.1.weight")) return kTrunks[2];
  const auto second = file.tensors.find("lins.1.model.1.weight");
  const bool is_alex = second != file.tensors.end() &&
                       second->second.dim() == 4 &&
                       second->second.size(1) == 192;
  return kTrunks[is_alex ? 1 : 0];
}

std::vector<fs::path> folders_with_trunks(const fs::path& weights) {
  std::vector<fs::path> folders{
      weights.parent_path().empty() ? fs::path(".") : weights.parent_path()};
  const auto add = [&](const char* variable, const char* below) {
    if (const char* value = std::getenv(variable); value && *value)
      folders.push_back(fs::path(value) / below / "hub/checkpoints");
  };
  add("TORCH_HOME", "");
  add("XDG_CACHE_HOME", "torch");
  add("HOME", ".cache/torch");
  return folders;
}

/// A file that torchvision publishes, or that someone has written anew.
bool is_named(const fs::path& path, const Trunk& trunk) {
  const auto name = path.filename().string();
  const auto ending = path.extension();
  return name.starts_with(trunk.begin) &&
         (ending == ".pth" || ending == ".pt" || ending == ".safetensors");
}

fs::path find_trunk(const fs::path& weights, const Trunk& trunk) {
  std::error_code ignored;
  for (const auto& folder : folders_with_trunks(weights)) {
    if (fs::is_regular_file(folder / trunk.published, ignored))
      return folder / trunk.published;
    fs::path first;
    for (fs::directory_iterator at(folder, ignored), end; at != end;
         at.increment(ignored))
      if (is_named(at->path(), trunk) && (first.empty() || at->path() < first))
        first = at->path();
    if (!first.empty()) return first;
  }
  throw ConfigError(fmt::format(
      "{}: holds the linear layers of LPIPS alone; put the network below them "
      "beside it, torchvision's {} "
      "(https://download.pytorch.org/models/{})",
      weights.string(), trunk.published, trunk.published));
}

/// torchvision's features.N are the package's net.sliceS.N.
void add_trunk(TensorFile& file, const Trunk& trunk, const TensorFile& network,
               const fs::path& where) {
  const auto missing = file.tensors.size();
  for (const auto& layers : slices_of(trunk.network))
    for (const auto& layer : layers) {
      const std::string_view name = layer.name;  // "slice2.5"
      if (name.empty()) continue;
      const auto begin =
          fmt::format("features.{}.", name.substr(name.find('.') + 1));
      for (auto at = network.tensors.lower_bound(begin);
           at != network.tensors.end() && at->first.starts_with(begin); ++at)
        file.tensors.emplace(fmt::format("net.{}.{}", layer.name,
                                         at->first.substr(begin.size())),
                             at->second);
    }
  if (file.tensors.size() == missing)
    throw DataError(fmt::format("{}: holds no {} of torchvision's",
                                where.string(), trunk.published));
}

}  // namespace

LpipsFiles find_lpips_files(const fs::path& weights) {
  auto file = read_state_dict(weights);
  rename_linear_layers(file);
  if (has_trunk(file) || !file.tensors.contains("lins.0.model.1.weight"))
    return {.weights = weights, .trunk = {}};
  return {.weights = weights, .trunk = find_trunk(weights, trunk_of(file))};
}

TensorFile read_lpips_weights(const fs::path& weights) {
  auto file = read_state_dict(weights);
  rename_linear_layers(file);
  if (has_trunk(file) || !file.tensors.contains("lins.0.model.1.weight"))
    return file;
  const auto& trunk = trunk_of(file);
  const auto path = find_trunk(weights, trunk);
  note(fmt::format("{}: linear layers of LPIPS, on the network of {}",
                   weights.string(), path.string()));
  add_trunk(file, trunk, read_state_dict(path), path);
  return file;
}

}  // namespace calotype
