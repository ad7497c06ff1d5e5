#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "datasets/image_source.h"

namespace calotype {

/// The images of a compressed tar, in its order. What is asked for in another
/// is found by reading from the beginning.
std::unique_ptr<ImageSource> open_tar_stream(const std::filesystem::path& path,
                                             const std::string& spec,
                                             const ImageLimits& limits);

/// An image as the member `name` of `archive` holds it. Throws DataError.
SourceImage decode_member(std::span<const uint8_t> bytes,
                          const std::filesystem::path& archive,
                          const std::string& name, const ImageLimits& limits);

}  // namespace calotype
