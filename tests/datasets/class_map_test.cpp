#include "datasets/class_map.h"

#include <gtest/gtest.h>

namespace calotype {
namespace {

TEST(MatchClasses, GoesByNamesAndNotByPlaces) {
  EXPECT_EQ(
      match_classes({"dogs", "猫", "birds"}, {"猫", "birds, small", "dogs"}),
      (std::vector<int64_t>{2, 0, -1}));
}

TEST(MatchClasses, OfNothingIsNothing) {
  EXPECT_TRUE(match_classes({}, {"a"}).empty());
  EXPECT_EQ(match_classes({"a"}, {}), std::vector<int64_t>{-1});
}

}  // namespace
}  // namespace calotype
