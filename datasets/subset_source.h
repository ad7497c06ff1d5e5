#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "datasets/image_source.h"

namespace calotype {

/// Images [begin, end) of `whole`, renumbered from 0; names and classes stay.
/// Throws ConfigError unless 0 <= begin < end <= whole->size().
std::unique_ptr<ImageSource> make_slice(
    std::shared_ptr<const ImageSource> whole, int64_t begin, int64_t end,
    const std::string& spec);

/// The images of the classes called `names`, or of all others. Throws
/// ConfigError for a name that `whole` does not have, or if none is left.
std::unique_ptr<ImageSource> select_classes(
    std::shared_ptr<const ImageSource> whole,
    const std::vector<std::string>& names, bool all_others,
    const std::string& spec);

}  // namespace calotype
