#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#define CALOTYPE_INLINE inline __attribute__((always_inline))

// For kernels, which are compiled for each processor (core/for_each_cpu.h).
namespace calotype {

/// exp(x) to 2 units in the last place: 2^n by the exponent's bits times a
/// polynomial in the rest (Cephes' coefficients). Branch-free, so that loops
/// vectorise; below -87 it is exp(-87), above 88 exp(88).
CALOTYPE_INLINE float exp_of(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float n = std::floor(x * 1.44269504f + 0.5f);
  const float r =
      (x - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  return p * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

CALOTYPE_INLINE float sigmoid(float x) {
  return 1.0f / (1.0f + exp_of(-x));
}

}  // namespace calotype
