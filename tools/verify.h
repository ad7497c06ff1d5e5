#pragma once

#include <filesystem>

#include "core/config.h"

namespace calotype {

/// Checks a latent store in a child process of limited memory and time, since
/// HDF5 can hang or crash on a damaged file. Returns counts and problems;
/// "sound" is true if there are none.
Json verify(const std::filesystem::path& store);

}  // namespace calotype
