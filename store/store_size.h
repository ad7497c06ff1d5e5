#pragma once

#include <cstdint>

#include "store/latent_store.h"

namespace calotype {

/// At least so many bytes do `count` rows of `info` take: grids of `cells`
/// cells with `depth` numbers or tokens each; cells 0: not known.
int64_t least_store_bytes(const StoreInfo& info, int64_t count, int64_t cells,
                          int64_t depth);

}  // namespace calotype
