#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "core/pickle_graph.h"
#include "nn/stored_tensor.h"
#include "nn/torch_storage.h"

namespace calotype {

/// A value of a PyTorch pickle that is a tensor.
struct TorchTensor {
  StoredTensor stored;
  std::string left_out;  // why it cannot be held here, where it cannot
};

/// The bytes of a whole storage (not of a view of it) that has room for what it
/// claims. Throws DataError otherwise.
using StorageBytes =
    std::function<std::span<const uint8_t>(const TorchStorage&)>;

/// Whether PyTorch would make a tensor of this value: an object of one of the
/// few functions that it rebuilds tensors with, told by their whole names.
bool is_torch_tensor(const PickleGraph& graph, PickleId id);

/// Where its numbers are: those of torch._utils._rebuild_tensor, _v2 and _v3,
/// and of parameters around them. Throws DataError, in the name of `where`, for
/// shapes, strides and offsets that lead out of the storage. `id` must be a
/// tensor.
TorchTensor torch_tensor(const PickleGraph& graph, PickleId id,
                         const StorageBytes& bytes_of,
                         const std::string& where);

}  // namespace calotype
