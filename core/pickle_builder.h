#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/pickle_graph.h"

namespace calotype {

/// Makes the graph of a pickle. All throw PickleFault for what cannot be.
class PickleBuilder {
 public:
  /// `bytes`: the pickle, which text lies in.
  explicit PickleBuilder(std::span<const uint8_t> bytes);

  PickleId none() const { return 0; }
  PickleId boolean(bool value) const { return value ? 2 : 1; }
  PickleId integer(int64_t value);
  PickleId real(double value);

  /// `size` bytes of the pickle from `begin` on; kText only where they are
  /// UTF-8, and `otherwise` where they are not.
  PickleId bytes(PickleKind kind, uint64_t begin, uint64_t size);
  PickleId text_or(PickleKind otherwise, uint64_t begin, uint64_t size);
  PickleId text(uint64_t begin, uint64_t size);

  PickleId tuple(std::span<const PickleId> items);
  PickleId list(PickleKind kind, std::span<const PickleId> items);
  PickleId dict(std::span<const PickleId> items);
  PickleId persistent(PickleId id);
  PickleId global(PickleId module, PickleId name);

  /// What `maker` would make of a tuple of `arguments`.
  PickleId made(PickleId maker, PickleId arguments);

  void append(PickleId to, std::span<const PickleId> items);
  void set_items(PickleId to, std::span<const PickleId> items);
  void set_state(PickleId of, PickleId state);

  PickleGraph finish(PickleId root) {
    graph_.root_ = root;
    return std::move(graph_);
  }

 private:
  PickleId add(PickleGraph::Node node);
  PickleId add_run(PickleKind kind, std::span<const PickleId> items);
  PickleId add_growing(PickleKind kind, std::span<const PickleId> items);
  void add_pairs(PickleId dict, PickleId arguments);
  std::vector<PickleId>& container(PickleId id);

  std::span<const uint8_t> bytes_;
  PickleGraph graph_;
};

}  // namespace calotype
