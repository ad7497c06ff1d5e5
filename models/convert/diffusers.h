#pragma once

#include <filesystem>

#include "models/convert/converted.h"

namespace calotype {

/// A model folder of diffusers of any age, weights in any form, as one of
/// today's: the names of today, one safetensors file, all keys. `weights`: a
/// file in it or an index, or the folder, whose own are taken. Throws
/// ConfigError for a class that is not here, DataError for weights that do not
/// fit.
ConvertedModel convert_diffusers(const std::filesystem::path& folder,
                                 const std::filesystem::path& weights);

/// All parts of a pipeline's folder that have a class here, and its scheduler;
/// a note names the others.
Conversion convert_diffusers_pipeline(const std::filesystem::path& folder);

}  // namespace calotype
