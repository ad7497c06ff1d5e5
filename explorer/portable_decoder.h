#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/config.h"
#include "models/codec.h"

namespace calotype {

/// The decoder of a codec as the steps that a page can take by itself
/// (page/forward.js), with its weights: of a CalotypeAutoencoder that is fully
/// connected or convolutional, an AutoencoderKL, and a VQModel whose codes are
/// the nearest of one codebook. Nothing for any other, and for one that takes
/// longer than a person waits or is larger than a page should be.
///
///   {"steps": [...], "output": "none" or "sigmoid"}
///
/// Each step is {"do": NAME, ...}; a value is [C,H,W], first the code's.
///
///   dense      weight [out,in], bias [out], shape: that of the result
///   conv       weight [out,in,k,k], bias, channels [in,out], kernel k: 1 or
///              3, zeros outside
///   doubling   weight [in,out,4,4], bias, channels: transposed, stride 2,
///              padding 1
///   double     each pixel becomes 2x2
///   activate   by: the name of the function
///   normalise  groups, eps, weight, bias: of groups of channels
///   attend     query, key, value, out: each weight [C,C] and bias; over all
///              pixels
///   add        way, shortcut: steps whose results are added; without steps
///              the value itself
///   quantise   codebook [K,D]: for each pixel the nearest of its rows
///
/// `code_shape`: D, h, w.
std::optional<Json> portable_decoder(const LoadedCodec& codec,
                                     const std::vector<int64_t>& code_shape);

}  // namespace calotype
