#pragma once

#include "models/convert/converted.h"
#include "models/convert/source_tensors.h"

namespace calotype {

/// The tokenizer of Open-MAGVIT2 to CalotypeMAGVIT2; `arguments` are those of
/// its constructor. Tensors are renamed, but for the convolutions that double
/// the grid: theirs put out channels pixel by pixel, ours pixels channel by
/// channel. Throws ConfigError for a variant that has no class here, DataError
/// for what is damaged.
ConvertedModel convert_open_magvit2(const ConvertContext& context,
                                    const Json& arguments, SourcePart part);

}  // namespace calotype
