#pragma once

#include <filesystem>

#include "core/config.h"

namespace calotype {

/// Checks a latent store. Returns counts and problems; "sound" is true if there
/// are none.
Json verify(const std::filesystem::path& store);

/// The same in a process of limited memory and time, since HDF5 can hang or
/// crash on a damaged file. It is started anew and no copy of this one, whose
/// threads would not come along. `program`: calotype itself, which runs
/// `verify STORE --within-limits`.
Json verify_apart(const std::filesystem::path& store,
                  const std::filesystem::path& program);

/// Limits this process so, for --within-limits. It ends with the one that
/// started it.
void limit_verification();

}  // namespace calotype
