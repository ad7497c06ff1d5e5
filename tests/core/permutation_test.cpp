#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

#include "core/error.h"
#include "core/random.h"

namespace calotype {
namespace {

std::vector<int64_t> order_of(int64_t size, uint64_t seed, uint32_t epoch) {
  const Permutation permutation(size, seed, epoch);
  std::vector<int64_t> order;
  for (int64_t i = 0; i < size; ++i) order.push_back(permutation(i));
  return order;
}

bool visits_each_once(const std::vector<int64_t>& order) {
  std::vector<bool> seen(order.size());
  for (const auto index : order) {
    if (index < 0 || index >= int64_t(order.size()) || seen[size_t(index)])
      return false;
    seen[size_t(index)] = true;
  }
  return true;
}

TEST(Permutation, VisitsEachIndexOnce) {
  for (int64_t size = 1; size <= 300; ++size)
    EXPECT_TRUE(visits_each_once(order_of(size, 7, 3))) << size;
  for (const int64_t size : {1023, 1024, 1025, 4095, 4096, 4097, 60'000})
    EXPECT_TRUE(visits_each_once(order_of(size, 7, 3))) << size;
}

TEST(Permutation, DependsOnSeedAndEpoch) {
  const auto order = order_of(1000, 7, 3);
  EXPECT_EQ(order, order_of(1000, 7, 3));
  EXPECT_NE(order, order_of(1000, 7, 4));
  EXPECT_NE(order, order_of(1000, 8, 3));
  EXPECT_NE(order, order_of(1000, 7 + (uint64_t{1} << 32), 3));
}

// Computed with Python from the definition in core/random.h. A release that
// changes this order breaks every run that is to be resumed.
TEST(Permutation, KeepsItsOrderFromReleaseToRelease) {
  EXPECT_THAT(order_of(10, 1, 2),
              testing::ElementsAre(6, 4, 7, 3, 8, 2, 1, 9, 5, 0));
}

TEST(Permutation, MakesEveryOrderOfThree) {
  std::map<std::vector<int64_t>, int> seen;
  for (uint32_t epoch = 0; epoch < 6000; ++epoch) ++seen[order_of(3, 1, epoch)];
  ASSERT_EQ(seen.size(), 6u);
  for (const auto& [order, count] : seen) EXPECT_NEAR(count, 1000, 300);
}

TEST(Permutation, LeavesNoTraceOfTheOldOrder) {
  // Of a random order of n, the sum of |new - old| is n^2 / 3, and one index in
  // n stays on average.
  constexpr int64_t kSize = 10'000;
  const auto order = order_of(kSize, 5, 0);
  double moved = 0;
  int64_t stayed = 0, still_neighbours = 0;
  for (int64_t i = 0; i < kSize; ++i) {
    moved += std::abs(double(order[size_t(i)] - i));
    stayed += order[size_t(i)] == i;
    still_neighbours += i > 0 && order[size_t(i)] == order[size_t(i) - 1] + 1;
  }
  EXPECT_NEAR(moved / (double(kSize) * kSize / 3), 1, 0.03);
  EXPECT_LE(stayed, 8);
  EXPECT_LE(still_neighbours, 8);
}

TEST(Permutation, ReachesFarIntoALargeSet) {
  constexpr int64_t kSize = int64_t{1} << 40;
  const Permutation permutation(kSize, 1, 0);
  int64_t largest = 0;
  std::set<int64_t> seen;
  for (int64_t i = 0; i < 1000; ++i) {
    const auto index = permutation(i);
    ASSERT_GE(index, 0);
    ASSERT_LT(index, kSize);
    seen.insert(index);
    largest = std::max(largest, index);
  }
  EXPECT_EQ(seen.size(), 1000u);
  EXPECT_GT(largest, kSize - kSize / 50);
}

TEST(Permutation, RefusesAPositionOutsideTheSet) {
  const Permutation permutation(5, 1, 0);
  EXPECT_THAT(
      [&] { permutation(5); },
      testing::ThrowsMessage<ShapeError>("Permutation: index outside the set"));
  EXPECT_THROW(permutation(-1), ShapeError);
  EXPECT_THROW(Permutation(0, 1, 0)(0), ShapeError);
}

}  // namespace
}  // namespace calotype
