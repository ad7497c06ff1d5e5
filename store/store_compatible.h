#pragma once

#include "store/latent_store.h"

namespace calotype {

/// Throws ConfigError, which names both stores and the first difference, unless
/// `other` holds what a model of `training` can be shown: the same kind, codec
/// and number of codes, and no grid shape that `training` does not have.
/// Latents of mirror images are a choice of each store, and so are types and
/// packing; classes are matched by name elsewhere.
void expect_compatible(const StoreReader& training, const StoreReader& other);

/// Throws ConfigError where both stores say what made their rows and it was not
/// the same: the distance of two codecs' latents is that of nothing.
void expect_same_maker(const StoreReader& a, const StoreReader& b);

}  // namespace calotype
