#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "datasets/image_source.h"

namespace calotype {

/// Images [begin, end) of `whole`, renumbered from 0; names and classes stay.
/// Throws ConfigError unless 0 <= begin < end <= whole->size().
std::unique_ptr<ImageSource> make_slice(
    std::shared_ptr<const ImageSource> whole, int64_t begin, int64_t end,
    const std::string& spec);

}  // namespace calotype
