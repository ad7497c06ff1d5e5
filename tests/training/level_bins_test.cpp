#include "training/level_bins.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"

namespace calotype {
namespace {

TEST(LevelBins, AreMeansOverAllBatches) {
  LevelBins bins;
  EXPECT_TRUE(bins.empty());
  bins.add({.level = torch::tensor({0.05, 0.05, 0.95}),
            .loss = torch::tensor({1.0, 2.0, 8.0}),
            .name = "t / T"});
  bins.add({.level = torch::tensor({0.0, 1.0, 0.5}),  // both ends are in
            .loss = torch::tensor({6.0, 2.0, 7.0}),
            .name = "t / T"});
  EXPECT_EQ(bins.name(), "t / T");
  EXPECT_EQ(bins.means().dump(),
            "[3.0,null,null,null,null,7.0,null,null,null,5.0]");
  bins.clear();
  EXPECT_EQ(bins.means().dump(),
            "[null,null,null,null,null,null,null,null,null,null]");
}

// Whole timesteps of a short schedule fall where they belong, rounding or not.
TEST(LevelBins, HoldEachOfTenTimestepsOnce) {
  LevelBins bins;
  const auto t = torch::arange(10, torch::kLong);
  bins.add({.level = (t.to(torch::kDouble) + 0.5) / 10,
            .loss = t.to(torch::kFloat),
            .name = "t / T"});
  for (int64_t i = 0; i < 10; ++i) EXPECT_EQ(bins.means()[size_t(i)], i);
}

TEST(LevelBins, TakeNothingFromLossesWithoutLevels) {
  LevelBins bins;
  bins.add({});
  EXPECT_TRUE(bins.empty());
}

TEST(LevelBins, RefuseALossThatIsNotOfTheSamples) {
  LevelBins bins;
  EXPECT_THROW(
      bins.add({.level = torch::zeros({3}), .loss = torch::zeros({2})}),
      ShapeError);
}

TEST(LevelBins, AreNamedByTheirEnds) {
  EXPECT_EQ(level_bin_text(0), "0.0-0.1");
  EXPECT_EQ(level_bin_text(9), "0.9-1.0");
}

}  // namespace
}  // namespace calotype
