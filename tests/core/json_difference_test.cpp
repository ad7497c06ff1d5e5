#include "core/json_difference.h"

#include <gtest/gtest.h>

namespace calotype {
namespace {

TEST(JsonDifference, IsTheFirstInTheOrderOfWhatStoodThere) {
  const Json before{{"a", {{"b", 1}, {"c", 2}}}, {"d", 3}};
  EXPECT_FALSE(json_difference(before, before));
  EXPECT_EQ(difference_text(before, {{"d", 4}, {"a", {{"b", 1}, {"c", 5}}}}),
            "a.c: 2 before, 5 now");
  EXPECT_EQ(difference_text(before, {{"d", 3}, {"a", {{"c", 2}, {"b", 1}}}}),
            "");
  EXPECT_EQ(difference_text(before, {{"a", "x"}, {"d", 3}}),
            "a: {\"b\":1,\"c\":2} before, \"x\" now");
  EXPECT_EQ(json_difference(1, 2)->path, "");
  EXPECT_EQ(json_difference({1, 2}, {1, 3})->now, Json({1, 3}));
}

TEST(JsonDifference, SaysWhatIsMissing) {
  EXPECT_EQ(difference_text({{"a", 1}, {"c", 3}}, {{"a", 1}}),
            "c: 3 before, nothing now");
  EXPECT_EQ(difference_text({{"a", {{"b", 1}}}}, {{"a", {{"b", 1}, {"c", 2}}}}),
            "a.c: nothing before, 2 now");
  EXPECT_EQ(difference_text({{"a", 1}, {"c", nullptr}}, {{"a", 1}}), "");
}

TEST(JsonDifference, PassesOverWhatIsIgnored) {
  const auto is_path = [](const std::string& key) { return key == "path"; };
  const Json before{{"a", {{"path", 1}, {"b", 2}}}};
  EXPECT_FALSE(
      json_difference(before, {{"a", {{"b", 2}, {"path", 3}}}}, is_path));
  EXPECT_EQ(json_difference(before, {{"a", {{"b", 4}}}}, is_path)->path, "a.b");
}

}  // namespace
}  // namespace calotype
