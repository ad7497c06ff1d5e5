#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/pickle_graph.h"

namespace calotype {

/// Calls visit(name, tensor) for each tensor below the dictionary or list
/// `root`, in order; keys and positions are joined by dots. What is part of
/// itself is not gone into again, nor is an object of an unknown class. Throws
/// DataError, in the name of `where`, for more than 250,000 tensors, more than
/// 16 names for each, 16 MiB of names or a depth of 100, which the same list in
/// many places can make of few bytes.
void visit_torch_tensors(
    const PickleGraph& graph, PickleId root, const std::string& where,
    const std::function<void(const std::string& name, PickleId tensor)>& visit);

/// A key as part of a name: a text, a number, or a class's own name ("" for
/// what is none of these).
std::string key_text(const PickleGraph& graph, PickleId key);

}  // namespace calotype
