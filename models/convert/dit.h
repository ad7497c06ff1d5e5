#pragma once

#include "models/convert/converted.h"
#include "models/convert/source_tensors.h"

namespace calotype {

/// A DiT of facebookresearch/DiT as a DiTTransformer2DModel. The number of its
/// heads is not in the file: it comes from the configuration beside it or an
/// option. Its timesteps have other frequencies than diffusers' class, 10000 to
/// the power of -i/128 and not -i/127, which the key freq_shift 0 keeps; other
/// readers know nothing of that key. Throws ConfigError for a variant without a
/// class here or heads that nobody tells, DataError for what is damaged.
ConvertedModel convert_dit(const ConvertContext& context, SourcePart part);

}  // namespace calotype
