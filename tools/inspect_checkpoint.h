#pragma once

#include <filesystem>

#include "core/config.h"

namespace calotype {

/// What a file with weights of another project holds: kind, format, tensors,
/// what else, and to which classes it can be converted. Nothing is converted,
/// and of the numbers only the file's hash is read. With `list_tensors` also
/// each tensor's type and shape. Throws as Checkpoint::open does.
Json inspect_checkpoint(const std::filesystem::path& path, bool list_tensors);

}  // namespace calotype
