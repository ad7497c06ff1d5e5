#include "core/pickle_graph.h"

namespace calotype {

bool PickleGraph::is_growing(PickleKind kind) {
  return kind == PickleKind::kList || kind == PickleKind::kSet ||
         kind == PickleKind::kDict || kind == PickleKind::kObject;
}

std::string_view PickleGraph::text(PickleId id) const {
  const auto& node = nodes_[id];
  return {reinterpret_cast<const char*>(begin_) + node.value, node.size};
}

std::span<const PickleId> PickleGraph::items(PickleId id) const {
  const auto& node = nodes_[id];
  if (is_growing(node.kind)) return containers_[size_t(node.value)];
  if (node.kind == PickleKind::kTuple || node.kind == PickleKind::kGlobal ||
      node.kind == PickleKind::kPersistent)
    return std::span(pool_).subspan(size_t(node.value), node.size);
  return {};
}

bool PickleGraph::is_global(PickleId id, std::string_view module,
                            std::string_view name) const {
  if (kind(id) != PickleKind::kGlobal) return false;
  const auto names = items(id);
  return text(names[0]) == module && text(names[1]) == name;
}

}  // namespace calotype
