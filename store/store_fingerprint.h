#pragma once

#include <string>

#include "store/latent_store.h"

namespace calotype {

/// 16 hex digits of all that a training sees of a store: kind, number type,
/// codec, names of classes, and rows in their order. The same for a copy of the
/// store, wherever it lies, and wherever its codec and its images lay.
std::string store_fingerprint(const StoreReader& store);

}  // namespace calotype
