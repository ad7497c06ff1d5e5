#include "nn/torch_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "core/error.h"
#include "nn/torch_tensor.h"

namespace calotype {
namespace {

constexpr size_t kMaxTensors = 250'000;
constexpr size_t kMaxNamesOfATensor = 16;  // on average, and some more
constexpr size_t kSomeNames = 1000;
constexpr size_t kMaxNameBytes = size_t{16} << 20;
constexpr size_t kMaxSteps = 16'000'000;  // items looked at
constexpr size_t kMaxDepth = 100;  // a module's parts are nested in some ten

bool is_container(const PickleGraph& graph, PickleId id) {
  const auto kind = graph.kind(id);
  return kind == PickleKind::kDict || kind == PickleKind::kList ||
         kind == PickleKind::kTuple;
}

/// Which of a graph's values are tensors or hold some.
class TensorHolders {
 public:
  TensorHolders(const PickleGraph& graph, PickleId root)
      : graph_(graph), states_(graph.size(), kNew) {
    std::vector<Frame> path;
    enter(root, path);
    while (!path.empty()) {
      auto& frame = path.back();
      const auto items = graph_.items(frame.id);
      if (frame.at == items.size()) {
        const auto done = frame;
        path.pop_back();
        states_[done.id] = done.holds ? kHolds : kEmpty;
        if (done.holds && !path.empty()) path.back().holds = true;
        continue;
      }
      const auto item = items[frame.at++];
      if (states_[item] == kNew) enter(item, path);
      if (states_[item] == kHolds) path.back().holds = true;
    }
  }

  bool holds(PickleId id) const { return states_[id] == kHolds; }
  size_t num_tensors() const { return num_tensors_; }

 private:
  enum State : uint8_t { kNew, kOnPath, kEmpty, kHolds };
  struct Frame {
    PickleId id = 0;
    size_t at = 0;
    bool holds = false;
  };

  void enter(PickleId id, std::vector<Frame>& path) {
    if (is_torch_tensor(graph_, id)) {
      states_[id] = kHolds;
      ++num_tensors_;
    } else if (is_container(graph_, id)) {
      states_[id] = kOnPath;
      path.push_back({id});
    } else {
      states_[id] = kEmpty;
    }
  }

  const PickleGraph& graph_;
  std::vector<State> states_;
  size_t num_tensors_ = 0;
};

}  // namespace

std::string key_text(const PickleGraph& graph, PickleId key) {
  switch (graph.kind(key)) {
    case PickleKind::kText:
      return std::string(graph.text(key));
    case PickleKind::kInt:
      return std::to_string(graph.integer(key));
    case PickleKind::kGlobal:
      return std::string(graph.text(graph.items(key)[1]));
    default:
      return "";
  }
}

void visit_torch_tensors(const PickleGraph& graph, PickleId root,
                         const std::string& where,
                         const std::function<void(const std::string& name,
                                                  PickleId tensor)>& visit) {
  if (!is_container(graph, root)) return;
  const TensorHolders holders(graph, root);
  if (!holders.holds(root)) return;
  struct Frame {
    PickleId id;
    size_t at = 0;
    size_t name_size = 0;  // of the container's own name
  };
  std::vector<Frame> path{{root}};
  std::vector<bool> on_path(graph.size(), false);
  on_path[root] = true;
  std::string name;
  const auto most_tensors = std::min(
      kMaxTensors, kMaxNamesOfATensor * holders.num_tensors() + kSomeNames);
  size_t num_tensors = 0, num_name_bytes = 0, num_steps = 0;
  while (!path.empty()) {
    auto& frame = path.back();
    name.resize(frame.name_size);
    const auto items = graph.items(frame.id);
    const bool is_dict = graph.kind(frame.id) == PickleKind::kDict;
    if (frame.at >= items.size()) {
      on_path[frame.id] = false;
      path.pop_back();
      continue;
    }
    const auto at = frame.at;
    const auto value = items[is_dict ? at + 1 : at];
    frame.at += is_dict ? 2 : 1;
    ++num_steps;
    const bool is_wanted = holders.holds(value) && !on_path[value];
    if (is_wanted) {
      if (!name.empty() || frame.id != root) name += '.';
      name += is_dict ? key_text(graph, items[at]) : std::to_string(at);
      num_name_bytes += name.size();
      if (is_dict && graph.kind(items[at]) == PickleKind::kBytes)
        throw DataError(where + ": a key that is not UTF-8");
    }
    if (num_steps > kMaxSteps || num_name_bytes > kMaxNameBytes ||
        num_tensors >= most_tensors || path.size() > kMaxDepth)
      throw DataError(fmt::format(
          "{}: names more tensors, or deeper ones, than any checkpoint has "
          "(after {})",
          where, num_tensors));
    if (!is_wanted) continue;
    if (is_container(graph, value)) {
      on_path[value] = true;
      path.push_back({value, 0, name.size()});
    } else {
      ++num_tensors;
      visit(name, value);
    }
  }
}

}  // namespace calotype
