#pragma once

#include "models/convert/converted.h"
#include "models/convert/source_tensors.h"

namespace calotype {

/// TAESD's two files as one AutoencoderTiny. Its decoder begins with a clamp
/// that has no weights, so that its layers are called by one more. Throws
/// ConfigError for the variants of FLUX.2 and Sana and for halves that do not
/// go together, DataError for what is damaged.
ConvertedModel convert_taesd(const ConvertContext& context, SourcePart encoder,
                             SourcePart decoder);

}  // namespace calotype
