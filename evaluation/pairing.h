#pragma once

#include <cstdint>
#include <vector>

#include "datasets/image_source.h"

namespace calotype {

/// For each image of `originals` its partner in `made`: the one of its name, of
/// the file that our own commands would have written it to (output_names), of
/// its whole name with another ending behind it, or, where no other image of
/// either set is called so, of its name but for the ending. Throws ConfigError
/// unless each image of either set has exactly one partner.
std::vector<int64_t> pair_images(const ImageSource& originals,
                                 const ImageSource& made);

}  // namespace calotype
