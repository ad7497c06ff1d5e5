#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "nn/exponential.h"
#include "nn/group_norm_kernel.h"

// What group normalisation computes of a number or a group, whatever the
// layout.
namespace calotype {

/// Of a group's numbers, or some of them, less one number of the group.
struct GroupSums {
  double sum = 0, squares = 0, largest_square = 0;
};

/// From the sums of all `count` numbers around `origin`. Numbers that are all
/// within a share of the mean, or of sqrt(eps), are alike: what computed them
/// (a matrix product in blocks) may round equal sums in unequal ways, by a few
/// units in the last place, and where there is nothing else, 1 / sqrt(eps)
/// would make a thousand times as much of it in each of a network's norms.
CALOTYPE_INLINE GroupStatistics statistics_of(const GroupSums& sums,
                                              int64_t count, double origin,
                                              double eps) {
  constexpr double kOfMean = 0x1p-20, kOfEps = 0x1p-14;
  const double shift = sums.sum / double(count);
  const double variance = sums.squares / double(count) - shift * shift;
  const double mean = origin + shift;
  const bool is_flat =
      sums.largest_square <=
      std::max(kOfMean * kOfMean * mean * mean, kOfEps * kOfEps * eps);
  const bool varies = !is_flat && variance > 0;
  return {mean, 1 / std::sqrt((varies ? variance : 0) + eps), is_flat};
}

/// The gradient of u = w n + b: dy silu'(u), or dy.
template <bool kSilu>
CALOTYPE_INLINE float gradient_of(float n, float w, float b, float dy) {
  if (!kSilu) return dy;
  const float u = w * n + b;
  const float s = sigmoid(u);
  return dy * s * (1.0f + u * (1.0f - s));
}

}  // namespace calotype
