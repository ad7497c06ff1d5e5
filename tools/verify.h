#pragma once

#include <filesystem>

#include "core/config.h"

namespace calotype {

/// Checks a latent store. Returns counts, problems ("sound" is true if there
/// are none), whether it is complete, and notes: what is worth knowing and no
/// damage, such as images that are not stored.
Json verify(const std::filesystem::path& store);

/// The same in a process of limited memory and time, since HDF5 can hang or
/// crash on a damaged file. It is started anew and no copy of this one, whose
/// threads would not come along. `program`: calotype itself, which runs
/// `verify STORE --within-limits`.
Json verify_apart(const std::filesystem::path& store,
                  const std::filesystem::path& program);

/// The same, after which this process ends: limited as verify_limits() says, it
/// is the child of verify_apart() and ends with it.
Json verify_within_limits(const std::filesystem::path& store);

}  // namespace calotype
