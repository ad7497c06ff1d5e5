#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "datasets/class_folder.h"
#include "datasets/class_list.h"

namespace calotype {
namespace {

using testing::ElementsAre;

TEST(ClassFolder, IsTheNameWhereAFolderCanHaveIt) {
  for (const std::string name :
       {"cat", "Ankle boot", "C++", "猫", "a,b", "100%", "-x", "say \"x\""})
    EXPECT_EQ(class_folder(name), name);
}

TEST(ClassFolder, StaysBelowItsFolderAndInSight) {
  EXPECT_EQ(class_folder("T-shirt/top"), "T-shirt%2Ftop");
  EXPECT_EQ(class_folder(".."), "%2E.");
  EXPECT_EQ(class_folder("."), "%2E");
  EXPECT_EQ(class_folder(".hidden"), "%2Ehidden");
  EXPECT_EQ(class_folder(""), "%00");
  EXPECT_EQ(class_folder("/etc"), "%2Fetc");
}

TEST(ClassFolder, IsUndoneAndNeverShared) {
  const std::vector<std::string> names = {
      "",   "%",    "%00",     "%2F", "/",  "a/b",   "a%2Fb",    "..", "%2E.",
      ".a", "a\nb", "a\\x0Ab", "猫",  "狗", "a%0Ab", "caf\\xE9", "A",  "a"};
  std::set<std::string> folders;
  for (const auto& name : names) {
    const auto folder = class_folder(name);
    EXPECT_TRUE(folders.insert(folder).second) << name;
    if (name != "a\nb") {  // which no image folder calls a class
      EXPECT_EQ(class_of_folder(folder), name);
    }
  }
}

TEST(ClassFolder, CutsWhatIsTooLongAndKeepsItApart) {
  const std::string stem(300, 'x');
  const auto one = class_folder(stem + "1"), two = class_folder(stem + "2");
  EXPECT_EQ(one.size(), 255u);
  EXPECT_NE(one, two);
}

TEST(ClassOfFolder, LeavesAStrangersFolderItsName) {
  for (const std::string folder : {"100%25", "50%", "%zz", "%41", "a%2fb"})
    EXPECT_EQ(class_of_folder(folder), folder);
}

TEST(ClassList, TakesTheLongestNameThatStandsThere) {
  const std::vector<std::string> known = {"tench, Tinca tinca", "tench", "cat"};
  EXPECT_THAT(parse_class_list("tench, Tinca tinca,cat", known),
              ElementsAre("tench, Tinca tinca", "cat"));
  EXPECT_THAT(parse_class_list("tench,cat", known),
              ElementsAre("tench", "cat"));
  EXPECT_THAT(parse_class_list("cats,cat", known), ElementsAre("cats", "cat"));
  EXPECT_THAT(parse_class_list("", known), ElementsAre());
}

}  // namespace
}  // namespace calotype
