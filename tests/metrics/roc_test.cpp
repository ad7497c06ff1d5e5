#include "metrics/roc.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"

namespace calotype {
namespace {

TEST(RocAuc, IsTheShareOfPairsInTheRightOrder) {
  EXPECT_EQ(roc_auc({1, 2, 3, 4}, {false, false, true, true}), 1);
  EXPECT_EQ(roc_auc({4, 3, 2, 1}, {false, false, true, true}), 0);
  // Pairs (0.8, 0.1), (0.8, 0.9), (0.5, 0.1), (0.5, 0.9): two of four.
  EXPECT_EQ(roc_auc({0.8, 0.5, 0.1, 0.9}, {true, true, false, false}), 0.5);
}

TEST(RocAuc, CountsTiesHalf) {
  EXPECT_EQ(roc_auc({1, 1, 1}, {true, false, false}), 0.5);
  EXPECT_EQ(roc_auc({2, 2, 1}, {true, false, false}), 0.75);
}

TEST(RocAuc, RefusesWhatHasNoAnswer) {
  EXPECT_THROW(roc_auc({1, 2}, {true, true}), ConfigError);
  EXPECT_THROW(roc_auc({}, {}), ConfigError);
  EXPECT_THROW(roc_auc({1}, {true, false}), ShapeError);
  EXPECT_THROW(roc_auc({1, std::nan("")}, {true, false}), DataError);
}

}  // namespace
}  // namespace calotype
