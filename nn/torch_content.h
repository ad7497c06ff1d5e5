#pragma once

#include <cstdint>
#include <string>

#include "nn/checkpoint_content.h"
#include "nn/torch_tensor.h"

namespace calotype {

/// The tensors of a graph, whose storages `bytes_of` finds in a file of
/// `file_bytes`, under their names, and what lies beside them. Throws DataError
/// as read_torch_zip does.
CheckpointContent torch_content(const PickleGraph& graph,
                                const StorageBytes& bytes_of,
                                uint64_t file_bytes, const std::string& where);

/// A graph's values but for tensors, which are "<tensor>", as JSON. An object
/// is {"_class": name, ...} with the values of its state. Of more than 4,000
/// values, of long lists and texts, the beginning.
Json torch_values(const PickleGraph& graph, PickleId root);

}  // namespace calotype
