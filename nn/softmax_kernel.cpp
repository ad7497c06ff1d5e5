#include "nn/softmax_kernel.h"

#include <algorithm>
#include <limits>

#include "core/for_each_cpu.h"
#include "nn/exponential.h"

namespace calotype {
namespace {

/// Sums of so many floats are floats; what adds those up is a double.
constexpr int64_t kScoresPerSum = 64;

}  // namespace

CALOTYPE_FOR_EACH_CPU
void softmax_row(float* scores, int64_t count) {
  float largest = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : largest)
  for (int64_t i = 0; i < count; ++i)
    largest = scores[i] > largest ? scores[i] : largest;
  double sum = 0;
  for (int64_t begin = 0; begin < count; begin += kScoresPerSum) {
    const int64_t end = std::min(begin + kScoresPerSum, count);
    float block = 0;
#pragma omp simd reduction(+ : block)
    for (int64_t i = begin; i < end; ++i) {
      scores[i] = exp_of(scores[i] - largest);
      block += scores[i];
    }
    sum += double(block);
  }
  const auto scale = float(1 / sum);
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) scores[i] *= scale;
}

}  // namespace calotype
