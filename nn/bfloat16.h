#pragma once

#include <bit>
#include <cstdint>

#include "nn/exponential.h"

// bfloat16 for kernels without LibTorch: the upper half of a float.
namespace calotype {

struct Bfloat16 {
  uint16_t bits;
};

CALOTYPE_INLINE float to_float(float x) {
  return x;
}

CALOTYPE_INLINE float to_float(Bfloat16 x) {
  return std::bit_cast<float>(uint32_t(x.bits) << 16);
}

CALOTYPE_INLINE void store(float x, float* to) {
  *to = x;
}

/// To the nearest, ties to even. A NaN stays one, since the quiet bit is set.
CALOTYPE_INLINE void store(float x, Bfloat16* to) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = bits + 0x7FFFu + ((bits >> 16) & 1u);
  const bool is_nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
  to->bits = uint16_t((is_nan ? bits | 0x00400000u : rounded) >> 16);
}

}  // namespace calotype
