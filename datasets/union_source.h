#pragma once

#include <memory>
#include <string>
#include <vector>

#include "datasets/image_source.h"

namespace calotype {

/// Several sets as one, as if all lay in one folder: sorted by name, classes
/// joined by name. Where a name stands in two of them, each is led by its set's
/// ("part-0/1.png"), which is told; where one of them is in order, the sets
/// follow each other.
std::unique_ptr<ImageSource> make_union(
    std::vector<std::unique_ptr<ImageSource>> parts, const std::string& spec);

}  // namespace calotype
