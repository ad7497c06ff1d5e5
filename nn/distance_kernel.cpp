#include "nn/distance_kernel.h"

#include <algorithm>
#include <limits>

#include "core/for_each_cpu.h"

namespace calotype {
namespace {

constexpr int64_t kChunk = 128;  // looked through at once

}  // namespace

CALOTYPE_FOR_EACH_CPU
double squared_difference(const double* a, const double* b, int64_t width) {
  // Sums of their own, and not a reduction that the compiler may cut as the
  // rows' addresses suggest: equal pairs must give equal bits.
  constexpr int kLanes = 32;
  double lanes[kLanes] = {};
  const int64_t whole = width - width % kLanes;
  for (int64_t f = 0; f < whole; f += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) {
      const double apart = a[f + lane] - b[f + lane];
      lanes[lane] += apart * apart;
    }
  double sum = 0;
  for (int64_t f = whole; f < width; ++f) {
    const double apart = a[f] - b[f];
    sum += apart * apart;
  }
  for (const double lane : lanes) sum += lane;
  return sum;
}

CALOTYPE_FOR_EACH_CPU
int64_t find_largest(const float* values, const float* offsets, int64_t count) {
  float largest = -std::numeric_limits<float>::infinity();
  int64_t place = 0;
  for (int64_t begin = 0; begin < count; begin += kChunk) {
    const int64_t end = std::min(begin + kChunk, count);
    float of_chunk = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : of_chunk)
    for (int64_t j = begin; j < end; ++j) {
      const float value = values[j] - offsets[j];
      of_chunk = value > of_chunk ? value : of_chunk;
    }
    if (!(of_chunk > largest)) continue;
    largest = of_chunk;
    place = begin;
    while (place + 1 < end && values[place] - offsets[place] != largest)
      ++place;
  }
  return place;
}

CALOTYPE_FOR_EACH_CPU
int64_t find_at_least(const float* values, const float* bounds, float bound,
                      int64_t count, int32_t* found) {
  int64_t num_found = 0;
  for (int64_t begin = 0; begin < count; begin += kChunk) {
    const int64_t end = std::min(begin + kChunk, count);
    int any = 0;
#pragma omp simd reduction(| : any)
    for (int64_t j = begin; j < end; ++j)
      any |= values[j] >= bounds[j] + bound ? 1 : 0;
    if (!any) continue;
    for (int64_t j = begin; j < end; ++j)
      if (values[j] >= bounds[j] + bound) found[num_found++] = int32_t(j);
  }
  return num_found;
}

}  // namespace calotype
