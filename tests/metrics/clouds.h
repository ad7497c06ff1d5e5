#pragma once

#include <ATen/ATen.h>

#include "core/random.h"
#include "metrics/moments.h"

namespace calotype {

/// [count, width] normal numbers.
inline at::Tensor cloud(int64_t count, int64_t width, uint64_t seed) {
  return normal_rows({width}, at::arange(count, at::kLong), seed,
                     Stream::kSynthetic);
}

inline at::Tensor double_cloud(int64_t count, int64_t width, uint64_t seed) {
  return cloud(count, width, seed).to(at::kDouble);
}

inline Moments moments_of(const at::Tensor& rows) {
  Moments moments;
  moments.add(rows);
  return moments;
}

}  // namespace calotype
