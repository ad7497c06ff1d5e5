#include "core/note.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace calotype {
namespace {

TEST(Note, IsSaidOnceUntilItIsTaken) {
  take_notes();
  testing::internal::CaptureStderr();
  note("model: takes a.safetensors");
  note("model: takes a.safetensors");
  note("store: 3 rows are older");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "model: takes a.safetensors\nstore: 3 rows are older\n");
  EXPECT_THAT(take_notes(), testing::ElementsAre("model: takes a.safetensors",
                                                 "store: 3 rows are older"));
  EXPECT_THAT(take_notes(), testing::IsEmpty());
}

}  // namespace
}  // namespace calotype
