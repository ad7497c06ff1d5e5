#pragma once

#include <filesystem>

#include "datasets/image_source.h"

namespace calotype {

/// Reads and decodes a file. That it is gone or not readable is the file's
/// fault, not the user's, and a DataError: one of a million files must not end
/// the run.
SourceImage load_image_file(const std::filesystem::path& path,
                            const ImageLimits& limits);

}  // namespace calotype
