#include "nn/bfloat16_sum.h"

#include <gtest/gtest.h>

#include <vector>

namespace calotype {
namespace {

TEST(Bfloat16Sum, AddsWhatTheNumbersAreAsFloats) {
  std::vector<Bfloat16> numbers(1000);  // no whole number of vectors
  std::vector<float> sum(1001, 0.1f), want = sum;
  for (size_t i = 0; i < numbers.size(); ++i) {
    store(float(i) * 0.37f - 100, &numbers[i]);
    want[i] += to_float(numbers[i]);
  }
  add_numbers(numbers.data(), int64_t(numbers.size()), sum.data());
  EXPECT_EQ(sum, want);
}

}  // namespace
}  // namespace calotype
