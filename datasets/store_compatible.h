#pragma once

#include "datasets/latent_store.h"

namespace calotype {

/// Throws ConfigError, which names both stores and the first difference, unless
/// `other` holds what a model of `training` can be shown: the same kind, codec
/// and number of codes, and no grid shape that `training` does not have.
/// Latents of mirror images are a choice of each store, and so are types and
/// packing; classes are matched by name elsewhere.
void expect_compatible(const StoreReader& training, const StoreReader& other);

}  // namespace calotype
