#include "nn/preview.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace calotype {
namespace {

TEST(InterleaveRows, PutsEightOfEachSetUnderOneAnother) {
  const auto a = torch::arange(17, torch::kFloat).view({17, 1, 1, 1});
  const auto rows = interleave_rows({a, a + 100}).flatten();
  EXPECT_TRUE(torch::equal(rows.slice(0, 0, 8), a.flatten().slice(0, 0, 8)));
  EXPECT_TRUE(torch::equal(rows.slice(0, 8, 16), rows.slice(0, 0, 8) + 100));
  EXPECT_TRUE(torch::equal(rows.slice(0, 16, 24), a.flatten().slice(0, 8, 16)));
  EXPECT_EQ(rows.numel(), 32);  // the seventeenth does not fill a row
}

TEST(InterleaveRows, IsNothingWithoutAWholeRow) {
  EXPECT_FALSE(interleave_rows({torch::zeros({7, 1, 2, 2})}).defined());
}

}  // namespace
}  // namespace calotype
