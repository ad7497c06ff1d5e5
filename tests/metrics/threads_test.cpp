#include "tests/support/threads.h"

#include <c10/core/InferenceMode.h>

#include "core/random.h"
#include "metrics/neighbour_distances.h"
#include "metrics/set_overlap.h"
#include "metrics/ssim.h"
#include "metrics/uncertainty.h"

// Each loop of metrics/ gives the same bits on any number of threads.
namespace calotype {
namespace {

at::Tensor rows(int64_t count, int64_t width, uint64_t seed) {
  return normal_rows({width}, at::arange(count, at::kLong), seed,
                     Stream::kSynthetic);
}

TEST(MetricsOnThreads, Ssim) {
  const auto images = [](uint64_t seed) {
    return uniform_rows({3, 80, 90}, at::arange(5, at::kLong), seed,
                        Stream::kSynthetic);
  };
  const auto a = images(1), b = images(2);
  expect_same_bits([&] { return std::vector<at::Tensor>{ssim(a, b, 1)}; });
}

TEST(MetricsOnThreads, BootstrapMeans) {
  const auto values = rows(3000, 3, 1).to(at::kDouble);
  expect_same_bits([&] {
    std::vector<at::Tensor> intervals;
    for (const auto& interval : bootstrap_means(values, 4))
      intervals.push_back(
          at::tensor({interval.low, interval.high}, at::kDouble));
    return intervals;
  });
}

TEST(MetricsOnThreads, BootstrapMeansOfInference) {
  const ThreadsFor three(3);
  const auto values = rows(3000, 1, 1).to(at::kDouble);
  const auto want = bootstrap_means(values, 4);
  const c10::InferenceMode inference;
  EXPECT_EQ(bootstrap_means(values.clone(), 4), want);
}

TEST(MetricsOnThreads, NeighbourDistances) {
  const auto features = rows(2100, 16, 1).to(at::kDouble);
  const ComparableRows comparable(features, features.mean(0), 1);
  expect_same_bits([&] {
    return std::vector<at::Tensor>{neighbour_distances(comparable, 5)};
  });
}

TEST(MetricsOnThreads, SetOverlap) {
  const auto real = rows(1500, 16, 1), made = rows(1400, 16, 2);
  expect_same_bits([&] {
    const auto overlap = set_overlap(real, made);
    return std::vector<at::Tensor>{overlap.precise, overlap.recalled,
                                   overlap.balls, overlap.covered};
  });
}

}  // namespace
}  // namespace calotype
