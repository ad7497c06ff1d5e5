#include "metrics/uncertainty.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "core/random.h"
#include "metrics/grouped_moments.h"
#include "tests/metrics/clouds.h"

namespace calotype {
namespace {

// The mean of 400 numbers of spread 1 has a standard error of 0.05.
TEST(Bootstrap, IsAsWideAsTheStandardErrorSays) {
  const auto values = cloud(400, 1, 1).to(at::kDouble);
  const auto interval = bootstrap_means(values, 0).at(0);
  const double mean = values.mean().item<double>();
  const double error = values.std().item<double>() / 20;
  EXPECT_NEAR(interval.low, mean - 1.96 * error, 0.2 * error);
  EXPECT_NEAR(interval.high, mean + 1.96 * error, 0.2 * error);
  EXPECT_EQ(bootstrap_means(values, 0).at(0), interval);
  EXPECT_NE(bootstrap_means(values, 1).at(0), interval);
}

// It must hold the truth, 0, in about 95 of 100 sets: 5 standard deviations of
// a binomial of 200 at 0.05 are 15.
TEST(Bootstrap, HoldsTheTruthAsOftenAsItSays) {
  int64_t missed = 0;
  for (uint64_t set = 0; set < 200; ++set) {
    const auto interval = bootstrap_means(cloud(100, 1, set), 0).at(0);
    missed += interval.low > 0 || interval.high < 0;
  }
  EXPECT_GT(missed, 0);
  EXPECT_LT(missed, 10 + 15);
}

// Rows are drawn whole: the interval of a difference of two columns that move
// together is nothing.
TEST(Bootstrap, DrawsRowsWhole) {
  const auto values = cloud(50, 1, 3).to(at::kDouble);
  const auto together = at::cat({values, values + 1, values - values}, 1);
  const auto intervals = bootstrap_means(together, 0);
  ASSERT_EQ(intervals.size(), 3u);
  EXPECT_NEAR(intervals[1].low, intervals[0].low + 1, 1e-12);
  EXPECT_EQ(intervals[2].low, 0);
  EXPECT_EQ(intervals[2].high, 0);
  EXPECT_THROW(bootstrap_means(at::empty({0, 2}), 0), ConfigError);
}

// Beside sums over the drawn rows, one after the other; two columns, and more
// rows than one block holds of all resamples.
TEST(Bootstrap, IsThatOfTheDrawnRowsOnAnyNumberOfThreads) {
  constexpr int64_t N = 1500;
  const auto values = cloud(N, 2, 4).to(at::kDouble);
  std::vector<double> means[2];
  std::vector<int32_t> drawn(N);
  for (uint32_t r = 0; r < 1000; ++r) {
    uniform_indices({.seed = 9, .stream = Stream::kBootstrap, .step = r}, N, N,
                    drawn.data());
    double sums[2] = {};
    for (const auto row : drawn)
      for (int m = 0; m < 2; ++m)
        sums[m] += values.data_ptr<double>()[row * 2 + m];
    for (int m = 0; m < 2; ++m) means[m].push_back(sums[m] / double(N));
  }
  const auto intervals = bootstrap_means(values, 9);
  for (size_t m = 0; m < 2; ++m) {
    std::sort(means[m].begin(), means[m].end());
    // The 24.975th of 999 steps.
    EXPECT_NEAR(intervals[m].low, 0.025 * means[m][24] + 0.975 * means[m][25],
                1e-12);
    EXPECT_NEAR(intervals[m].high,
                0.975 * means[m][974] + 0.025 * means[m][975], 1e-12);
  }
  const auto threads = at::get_num_threads();
  at::set_num_threads(1);
  EXPECT_EQ(bootstrap_means(values, 9), intervals);
  at::set_num_threads(threads);
}

// Of a mean the jackknife's error is that of the mean: over sets of 500
// numbers, means are 1 / sqrt(500) apart.
TEST(Jackknife, HoldsTheTruthAsOftenAsItSays) {
  int64_t missed = 0;
  for (uint64_t set = 0; set < 200; ++set) {
    GroupedMoments grouped;
    grouped.add(cloud(500, 1, set), at::arange(500, at::kLong));
    std::vector<double> left_out;
    for (int64_t g = 0; g < GroupedMoments::kGroups; ++g)
      left_out.push_back(grouped.without(g).mean().item<double>());
    const auto interval =
        jackknife(grouped.all().mean().item<double>(), left_out);
    missed += interval.low > 0 || interval.high < 0;
  }
  EXPECT_GT(missed, 0);
  EXPECT_LT(missed, 10 + 15);
}

// By hand: values 0 and 1, five each, have a scatter of 2.5; 9/10 of it has the
// root 1.5.
TEST(Jackknife, IsStudentsOfTheGroupsLeftOut) {
  const auto interval = jackknife(2, {0, 1, 0, 1, 0, 1, 0, 1, 0, 1});
  EXPECT_NEAR(interval.low, 2 - 2.2622 * 1.5, 1e-12);
  EXPECT_NEAR(interval.high, 2 + 2.2622 * 1.5, 1e-12);
  EXPECT_THROW(jackknife(2, {0, 1}), ShapeError);
}

// Wilson's: of 10 in 10, z^2 / (10 + z^2) below 1 with z = 1.96.
TEST(ShareInterval, IsNotOfWidthNoughtAtTheEnds) {
  const auto all = share_interval(1, 10), none = share_interval(0, 10);
  EXPECT_NEAR(all.low, 1 - 3.8415 / 13.8415, 1e-4);
  EXPECT_DOUBLE_EQ(all.high, 1);
  EXPECT_NEAR(none.low, 0, 1e-15);
  EXPECT_NEAR(none.high, 1 - all.low, 1e-12);
  const auto half = share_interval(0.5, 10'000);
  EXPECT_NEAR(half.high - half.low, 2 * 1.96 * 0.005, 1e-5);
}

}  // namespace
}  // namespace calotype
