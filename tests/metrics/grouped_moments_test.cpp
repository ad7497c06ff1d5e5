#include "metrics/grouped_moments.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "core/random.h"

namespace calotype {
namespace {

TEST(GroupedMoments, AreThoseOfTheWholeInAnyBatches) {
  const auto rows =
      normal_rows({4}, at::arange(2000, at::kLong), 5, Stream::kSynthetic) + 7;
  const auto places = at::arange(2000, at::kLong);
  Moments whole;
  whole.add(rows);
  GroupedMoments grouped;
  for (int64_t begin = 0; begin < 2000; begin += 40)
    grouped.add(rows.narrow(0, begin, 40), places.narrow(0, begin, 40));
  EXPECT_EQ(grouped.all().count(), 2000);
  EXPECT_TRUE(at::allclose(grouped.all().mean(), whole.mean(), 1e-10, 1e-12));
  EXPECT_TRUE(at::allclose(grouped.all().covariance(), whole.covariance(),
                           1e-10, 1e-12));
  EXPECT_TRUE(grouped.has_interval());
  int64_t left = 0;
  for (int64_t g = 0; g < GroupedMoments::kGroups; ++g) {
    const auto count = grouped.without(g).count();
    EXPECT_LT(count, 2000);
    left += 2000 - count;
  }
  EXPECT_EQ(left, 2000);  // each row is in one group
  EXPECT_FALSE(GroupedMoments().has_interval());
  EXPECT_FALSE(GroupedMoments().has_course());
}

// Rows that wait for a product of matrices count like those that do not.
TEST(GroupedMoments, OfOneGroupAreThoseOfItsRows) {
  const auto rows =
      normal_rows({3}, at::arange(900, at::kLong), 6, Stream::kSynthetic);
  const auto places = at::arange(900, at::kLong);
  const auto groups = image_groups(places);
  for (const int64_t batch : {1, 70, 900}) {
    GroupedMoments grouped;
    for (int64_t begin = 0; begin < 900; begin += batch) {
      const auto count = std::min(batch, 900 - begin);
      grouped.add(rows.narrow(0, begin, count), places.narrow(0, begin, count));
    }
    Moments expected;
    expected.add(rows.index_select(0, groups.eq(4).nonzero().view(-1)));
    const auto found = grouped.of_groups(4, 5);
    EXPECT_EQ(found.count(), expected.count());
    EXPECT_TRUE(
        at::allclose(found.covariance(), expected.covariance(), 1e-10, 1e-12));
  }
}

TEST(GroupedMoments, RefuseAnotherWidth) {
  GroupedMoments grouped;
  const auto first = at::zeros({1}, at::kLong);
  grouped.add(at::zeros({1, 3}), first);
  EXPECT_THROW(grouped.add(at::zeros({1, 4}), first), ShapeError);
}

}  // namespace
}  // namespace calotype
