#pragma once

#include <filesystem>

#include "core/config.h"

namespace calotype {

/// Says what a path is: a model folder, a training run, a latent store, one
/// shard, a PNG with its recipe, or a checkpoint of another project, whose
/// tensors are listed on demand. Throws ConfigError for a path that is not
/// there or a folder or JSON that is none of these, DataError for other files
/// that are none or damaged.
Json inspect(const std::filesystem::path& path, bool list_tensors = false);

}  // namespace calotype
