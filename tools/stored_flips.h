#pragma once

#include <string>

#include "core/config.h"
#include "store/latent_store.h"

// data.flips of a training configuration: "auto", true or false.
namespace calotype {

/// Whether training on `store` draws from mirror images too; writes it back to
/// `flips`, where "auto" is what the store has. Throws ConfigError that begins
/// with `where` if they are asked for and not there.
bool resolve_flips(Json& flips, const StoreReader& store,
                   const std::string& where);

/// For training on images: "auto" becomes false. Throws ConfigError if `flips`
/// is true.
void expect_no_flips(Json& flips);

}  // namespace calotype
