#include "core/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SplitAtCommas, GivesWhatIsBetweenThem) {
  EXPECT_THAT(split_at_commas("T-shirt/top,Ankle boot"),
              ElementsAre("T-shirt/top", "Ankle boot"));
  EXPECT_THAT(split_at_commas("one"), ElementsAre("one"));
  EXPECT_THAT(split_at_commas("a,,b"), ElementsAre("a", "", "b"));
  EXPECT_THAT(split_at_commas(""), IsEmpty());
}

}  // namespace
}  // namespace calotype
