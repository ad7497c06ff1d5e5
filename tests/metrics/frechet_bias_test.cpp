#include "metrics/frechet_bias.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"

namespace calotype {
namespace {

constexpr int64_t kFeatures = 24;

GroupedMoments grouped(const at::Tensor& rows) {
  GroupedMoments moments;
  moments.add(rows, at::arange(rows.size(0), at::kLong));
  return moments;
}

at::Tensor noise(int64_t count, uint64_t seed) {
  return normal_rows({kFeatures}, at::arange(count, at::kLong), seed,
                     Stream::kSynthetic)
      .to(at::kDouble);
}

/// Mean 0 and covariance I, exactly: each axis both ways.
FrechetReference unit_reference() {
  const auto axes =
      at::eye(kFeatures, at::kDouble) * std::sqrt((2. * kFeatures - 1) / 2);
  Moments moments;
  moments.add(at::cat({axes, -axes}));
  return FrechetReference(moments);
}

// The truth: means 0.2 apart and standard deviations of 1 and 1.1 in each of 24
// features.
TEST(FrechetBias, IsUpwardsAndMostlyTakenAway) {
  const double truth = kFeatures * (0.2 * 0.2 + 0.1 * 0.1);
  const auto reference = unit_reference();
  double plain = 0, extrapolated = 0;
  constexpr int kSets = 10;
  for (uint64_t set = 0; set < kSets; ++set) {
    const auto shown = grouped(noise(1500, set) * 1.1 + 0.2);
    const auto values = frechet_by_count(shown, reference);
    ASSERT_EQ(values.size(), 4u);
    EXPECT_DOUBLE_EQ(values[3].count, 1500);
    EXPECT_NEAR(values[3].distance, reference.distance(shown.all()), 1e-12);
    for (size_t i = 1; i < values.size(); ++i) {
      EXPECT_GT(values[i].count, values[i - 1].count);
      EXPECT_LT(values[i].distance, values[i - 1].distance);
    }
    plain += values[3].distance / kSets;
    extrapolated += frechet_at_infinity(values) / kSets;
  }
  EXPECT_GT(plain, truth + 0.1);
  EXPECT_NEAR(extrapolated, truth, 0.2 * (plain - truth));
}

TEST(FrechetBias, IsALineInTheInverseOfTheCount) {
  EXPECT_NEAR(frechet_at_infinity({{10, 5 + 3}, {20, 5 + 1.5}, {100, 5 + 0.3}}),
              5, 1e-12);
  // 1.3, 0.4, 1.3 at 1/n = 1, 2, 3: the best line is level.
  EXPECT_NEAR(frechet_at_infinity({{1, 1.3}, {0.5, 0.4}, {1 / 3., 1.3}}), 1,
              1e-12);
  EXPECT_THROW(frechet_at_infinity({{10, 1}, {10, 2}}), ShapeError);
  EXPECT_THROW(frechet_at_infinity({}), ShapeError);
}

TEST(FrechetBias, RefusesGroupsWithoutACovariance) {
  EXPECT_THAT([] { frechet_by_count(grouped(noise(9, 1)), unit_reference()); },
              testing::Throws<ConfigError>());
}

}  // namespace
}  // namespace calotype
