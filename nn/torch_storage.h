#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/pickle_graph.h"
#include "nn/stored_tensor.h"

namespace calotype {

/// The numbers that tensors of a PyTorch pickle look into: what a persistent id
/// ('storage', type, key, location, number of elements) names. Where it was
/// (cpu, cuda:0) does not matter.
struct TorchStorage {
  std::string_view key;
  std::optional<ElementType> type;  // nothing: untyped, or not to be read
  std::string_view why;             // it is not: "complex numbers"; "": untyped
  uint64_t element_size = 1;
  uint64_t num_elements = 0;

  /// Before PyTorch 0.4 a storage could be part of another.
  struct View {
    std::string_view key;
    uint64_t offset = 0, num_elements = 0;
  };
  std::optional<View> view;

  /// Of the storage of this key, which a view is part of.
  uint64_t num_bytes() const { return num_elements * element_size; }
};

/// What the kPersistent value `id` names. Throws DataError for what is no
/// storage, one of a class that PyTorch does not have, or of more than 2^60
/// bytes; nothing for the source of a class, which the legacy format keeps.
std::optional<TorchStorage> torch_storage(const PickleGraph& graph, PickleId id,
                                          const std::string& where);

}  // namespace calotype
