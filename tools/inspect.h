#pragma once

#include <filesystem>

#include "core/config.h"

namespace calotype {

/// Says what a path is: a model folder, a training run, a latent store, one
/// shard, or a PNG with its recipe. Throws ConfigError if it is none of these.
Json inspect(const std::filesystem::path& path);

}  // namespace calotype
