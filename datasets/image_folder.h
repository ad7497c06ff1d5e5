#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "datasets/image_source.h"

namespace calotype {

/// All images below `folder` (see walk_folder), sorted by the bytes of their
/// paths. The folders directly below it that hold images at any depth are
/// classes, in the order of the bytes of their names (see class_of_folder); an
/// image that lies beside them has no label, which is told once. Files that are
/// called images stay in the set, whatever they hold, so that load() can say
/// what is wrong with them. Throws ConfigError if there is no image.
std::unique_ptr<ImageSource> open_image_folder(
    const std::filesystem::path& folder, const std::string& spec,
    const ImageLimits& limits);

/// A source of one image.
std::unique_ptr<ImageSource> open_image_file(const std::filesystem::path& file,
                                             const std::string& spec,
                                             const ImageLimits& limits);

}  // namespace calotype
