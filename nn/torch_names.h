#pragma once

#include <string>

#include "core/pickle_graph.h"

namespace calotype {

/// "argparse.Namespace" of a kGlobal, or of a kObject the class that it is of;
/// one line. "something" of other values.
std::string class_text(const PickleGraph& graph, PickleId id);

}  // namespace calotype
