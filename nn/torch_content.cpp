#include "nn/torch_content.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/printable.h"
#include "nn/torch_names.h"
#include "nn/torch_tree.h"

namespace calotype {
namespace {

/// Under which keys projects keep weights, the better ones first: Lightning;
/// the moving average before what it is of (DiT, LlamaGen, BasicSR,
/// lucidrains).
constexpr std::array<std::string_view, 12> kWrappers{
    "state_dict", "ema",
    "model_ema",  "ema_model",
    "params_ema", "ema_state_dict",
    "model",      "model_state_dict",
    "params",     "module",
    "net",        "weights"};

/// The dictionary of the values that an object of a class would be given.
std::span<const PickleId> state_of(const PickleGraph& graph, PickleId object) {
  const auto parts = graph.items(object);
  if (parts.size() < 3 || graph.kind(parts[2]) != PickleKind::kDict) return {};
  return graph.items(parts[2]);
}

bool is_module(const PickleGraph& graph, PickleId id) {
  if (graph.kind(id) != PickleKind::kObject) return false;
  const auto state = state_of(graph, id);
  for (size_t i = 0; i + 1 < state.size(); i += 2)
    if (graph.kind(state[i]) == PickleKind::kText &&
        graph.text(state[i]) == "_parameters")
      return true;
  return false;
}

/// Why there are no names: what the whole is.
std::string what_instead(const PickleGraph& graph) {
  const auto root = graph.root();
  const auto whole_module = [&](const std::string& what, PickleId id) {
    return fmt::format(
        "{} is a whole module ({}), not its state dict, and reading it would "
        "run its code; save module.state_dict() where that code is",
        what, class_text(graph, id));
  };
  if (is_module(graph, root)) return whole_module("it", root);
  if (is_torch_tensor(graph, root))
    return "it is a tensor alone, which has no name";
  if (graph.kind(root) == PickleKind::kObject)
    return fmt::format(
        "it is whatever {} makes, which is not run, and no dictionary of "
        "tensors",
        class_text(graph, root));
  if (graph.kind(root) != PickleKind::kDict)
    return "it is no dictionary of tensors";
  const auto items = graph.items(root);
  std::vector<std::string> keys;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (is_module(graph, items[i + 1]))
      return whole_module(printable(key_text(graph, items[i])), items[i + 1]);
    if (keys.size() < 8) keys.push_back(printable(key_text(graph, items[i])));
  }
  return fmt::format("it holds no tensors{}{}", keys.empty() ? "" : ", only ",
                     fmt::join(keys, ", "));
}

/// Gathers tensors by name.
class TorchGatherer {
 public:
  TorchGatherer(const PickleGraph& graph, const StorageBytes& bytes_of,
                uint64_t file_bytes, const std::string& where)
      : graph_(graph),
        bytes_of_(bytes_of),
        where_(where),
        // Views may be more than what they are of, but not without end.
        bytes_left_(16 * file_bytes + (uint64_t{1} << 20)) {}

  CheckpointContent gather() {
    visit_torch_tensors(
        graph_, graph_.root(), where_,
        [&](const std::string& name, PickleId id) { add(name, id); });
    if (file_.tensors.empty() && file_.left_out.empty())
      throw DataError(
          fmt::format("{}: no checkpoint: {}", where_, what_instead(graph_)));
    if (file_.tensors.empty())
      throw DataError(fmt::format(
          "{}: holds no tensor that can be read; {} is {}", where_,
          printable(file_.left_out[0].name), file_.left_out[0].why));
    find_state_dicts();
    file_.beside = torch_values(graph_, graph_.root());
    return std::move(file_);
  }

 private:
  void add(const std::string& name, PickleId id) {
    const auto shown = where_ + ": " + printable(name.substr(0, 200));
    auto tensor = torch_tensor(graph_, id, bytes_of_, shown);
    if (!tensor.left_out.empty()) {
      file_.left_out.push_back({name, tensor.left_out});
      return;
    }
    const auto bytes =
        *checked_bytes(tensor.stored.shape, size_bytes(tensor.stored.type));
    if (bytes > bytes_left_)
      throw DataError(shown +
                      ": the tensors are many times larger than the "
                      "file");
    bytes_left_ -= bytes;
    if (!file_.tensors.emplace(name, std::move(tensor.stored)).second)
      throw DataError(shown + ": stands twice");
  }

  void find_state_dicts() {
    const auto items = graph_.items(graph_.root());
    for (const auto wrapper : kWrappers)
      if (graph_.kind(graph_.root()) == PickleKind::kDict)
        for (size_t i = 0; i + 1 < items.size(); i += 2)
          if (graph_.kind(items[i]) == PickleKind::kText &&
              graph_.text(items[i]) == wrapper)
            add_state_dict(std::string(wrapper), items[i + 1]);
    if (file_.state_dicts.empty())
      file_.state_dicts.push_back({"", file_.tensors});
  }

  void add_state_dict(const std::string& wrapper, PickleId dict) {
    StateDict state_dict{.wrapper = wrapper, .tensors = {}};
    visit_torch_tensors(
        graph_, dict, where_, [&](const std::string& name, PickleId) {
          const auto found = file_.tensors.find(wrapper + "." + name);
          if (found != file_.tensors.end())
            state_dict.tensors.emplace(name, found->second);
        });
    if (!state_dict.tensors.empty())
      file_.state_dicts.push_back(std::move(state_dict));
  }

  const PickleGraph& graph_;
  const StorageBytes& bytes_of_;
  const std::string& where_;
  uint64_t bytes_left_;
  CheckpointContent file_;
};

}  // namespace

CheckpointContent torch_content(const PickleGraph& graph,
                                const StorageBytes& bytes_of,
                                uint64_t file_bytes, const std::string& where) {
  return TorchGatherer(graph, bytes_of, file_bytes, where).gather();
}

}  // namespace calotype
