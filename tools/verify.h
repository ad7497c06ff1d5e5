#pragma once

#include <filesystem>

#include "core/config.h"

namespace calotype {

/// Checks a latent store in a child process of limited memory and time, since
/// HDF5 can hang or crash on a damaged file. Returns counts, problems ("sound"
/// is true if there are none), whether it is complete, and notes: what is worth
/// knowing and no damage, such as images that are not stored.
Json verify(const std::filesystem::path& store);

}  // namespace calotype
