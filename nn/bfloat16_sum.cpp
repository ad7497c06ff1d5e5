#include "nn/bfloat16_sum.h"

#include "core/for_each_cpu.h"

namespace calotype {

CALOTYPE_FOR_EACH_CPU
void add_numbers(const Bfloat16* numbers, int64_t count, float* sum) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) sum[i] += to_float(numbers[i]);
}

}  // namespace calotype
