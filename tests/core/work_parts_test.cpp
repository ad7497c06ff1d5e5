#include "core/work_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/files.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

WorkPlan plan_of(int64_t parts, int64_t count, int64_t per_unit = 1) {
  return {.parts = parts,
          .count = count,
          .per_unit = per_unit,
          .call = {{"settings", {{"seed", 0}, {"scale", 0.1}}}}};
}

TEST(WorkParts, ArrayListsAreThoseOfJobArrays) {
  EXPECT_EQ(array_list({0, 3, 4, 5, 7}, 0), "0,3-5,7");
  EXPECT_EQ(array_list({0, 1}, 1), "1-2");
  EXPECT_EQ(array_list({}, 0), "");
}

TEST(WorkParts, SharesTileTheIndexAtUnits) {
  const auto plan = plan_of(3, 10, 4);  // units of 4, 4 and 2
  EXPECT_EQ(plan.share_of(0).end, 4);
  EXPECT_EQ(plan.share_of(1).end, 8);
  EXPECT_EQ(plan.share_of(2).end, 10);
  EXPECT_EQ(plan.part_of(8), 2);
  const auto many = plan_of(5, 2);
  EXPECT_EQ(many.share_of(1).end, 2);
  EXPECT_EQ(many.share_of(4).size(), 0);
}

TEST(WorkParts, KnowEachOther) {
  const TempFolder folder;
  WorkParts one(folder / "parts", plan_of(3, 2), folder / "set");
  one.mark_done(1);
  WorkParts other(folder / "parts", plan_of(3, 2), folder / "set");
  other.mark_done(1);                            // who did it too
  EXPECT_THAT(other.missing(), ElementsAre(0));  // the third has no work
  other.mark_done(0);
  EXPECT_THAT(one.missing(), IsEmpty());
  one.forget(1);
  EXPECT_THAT(other.missing(), ElementsAre(1));
  EXPECT_FALSE(other.is_over());
  one.remove();
  EXPECT_TRUE(other.is_over());
  EXPECT_FALSE(std::filesystem::exists(folder / "parts"));
}

TEST(WorkParts, RefuseAnotherCallAndAnotherNumber) {
  const TempFolder folder;
  const auto refusal = [&](const WorkPlan& plan) {
    return message_of<ConfigError>(
        [&] { WorkParts(folder / "parts", plan, "set"); });
  };
  EXPECT_EQ(refusal(plan_of(3, 20)), "nothing thrown");
  EXPECT_EQ(refusal(plan_of(3, 20)), "nothing thrown");
  EXPECT_THAT(refusal(plan_of(4, 20)),
              HasSubstr("set: was begun in other parts (parts: 3 before, 4 "
                        "now)"));
  auto plan = plan_of(3, 20);
  plan.call["settings"]["seed"] = 1;
  EXPECT_THAT(refusal(plan),
              HasSubstr("set: was begun by another call (settings.seed: 0 "
                        "before, 1 now)"));
  const auto file = folder / "parts" / "plan.json";
  auto newer = read_json_file(file);
  newer["format_version"] = 2;
  write_file_atomic(file, newer.dump());
  EXPECT_THAT(message_of<DataError>([&] { find_work_plan(folder / "parts"); }),
              HasSubstr("format_version 2 is newer than 1"));
}

TEST(WorkParts, OfAnArrayThatStartsSomeAgain) {
  const Part again{.index = 1,
                   .count = 2,
                   .first = 3,
                   .is_array = true,
                   .variables = "ID=4"};
  EXPECT_EQ(part_of_work(again, 5, 1, "set").index, 3);
  EXPECT_EQ(part_of_work(again, 5, 1, "set").count, 5);
  EXPECT_THAT(
      message_of<ConfigError>([&] { part_of_work(again, 3, 1, "set"); }),
      HasSubstr("set: ID=4 is none of its 3 parts, 1 to 3"));
}

}  // namespace
}  // namespace calotype
