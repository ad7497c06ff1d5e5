#include "outputs/output_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/message_of.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> file_names(const std::vector<std::string>& names) {
  return output_names(names, /*tells=*/false);
}

TEST(OutputNames, KeepAPngAndGiveOthersItsEnding) {
  EXPECT_THAT(
      file_names({"a/1.png", "b/2.jpg", "3.WEBP", "c/00004", "5.PNG"}),
      ElementsAre("a/1.png", "b/2.png", "3.png", "c/00004.png", "5.PNG"));
}

TEST(OutputNames, LeaveDotsThatAreNoEndingAlone) {
  EXPECT_THAT(file_names({"22.05", "v1.2.png", "a.b/c"}),
              ElementsAre("22.05.png", "v1.2.png", "a.b/c.png"));
  EXPECT_THAT(file_names({"22.05.png", "22.05"}),
              ElementsAre("22.05.png", "22.05.png.png"));
}

TEST(OutputNames, KeepTheWholeNameWhereItsStemIsShared) {
  EXPECT_THAT(file_names({"1.jpg", "1.png", "1.webp"}),
              ElementsAre("1.jpg.png", "1.png", "1.webp.png"));
  EXPECT_THAT(file_names({"1.jpg", "1.png", "1.jpg.png"}),
              ElementsAre("1.jpg.png.png", "1.png", "1.jpg.png"));
  EXPECT_THAT(file_names({"x.JPG", "x.jpg"}),
              ElementsAre("x.JPG.png", "x.jpg.png"));
  EXPECT_THAT(file_names({"a", "a.png/b.jpg"}),
              ElementsAre("a.png.png", "a.png/b.png"));
}

TEST(OutputNames, DoNotDependOnTheOrderOfTheSet) {
  EXPECT_THAT(file_names({"1.webp", "1.png", "1.jpg"}),
              ElementsAre("1.webp.png", "1.png", "1.jpg.png"));
}

TEST(OutputNames, HaveTheBytesThatTheNamesStandFor) {
  EXPECT_THAT(file_names({"caf\\xE9.png", "tab\\x09.jpg", "写,\"x\".png"}),
              ElementsAre("caf\xe9.png", "tab\t.png", "写,\"x\".png"));
}

TEST(OutputNames, AreCutWhereAFileSystemWouldRefuseThem) {
  const std::string stem(254, 'y');
  const auto files = file_names({"d/" + stem + "1", "d/" + stem + "2"});
  EXPECT_EQ(files[0].size(), 2 + 255u);
  EXPECT_NE(files[0], files[1]);
  EXPECT_TRUE(files[0].ends_with(".png"));
  const auto fits = std::string(251, 'z') + ".jpg";
  EXPECT_EQ(file_names({fits})[0], std::string(251, 'z') + ".png");
}

TEST(OutputNames, TellWhatTheyRename) {
  testing::internal::CaptureStderr();
  output_names({"8.jpg", "8.png"});
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("keep their whole name, such as 8.jpg in 8.jpg.png"));
}

TEST(OutputNames, NeverLeadOutOfTheFolder) {
  for (const char* name : {"../x.png", "a/../../x", "/etc/x", "", ".", "a/.."})
    EXPECT_THAT(message_of<DataError>([&] { file_names({name}); }),
                HasSubstr("leads out of the folder"))
        << name;
  EXPECT_THAT(file_names({"a/../b.png"}), ElementsAre("b.png"));
}

TEST(OutputNames, RefuseANameThatStandsTwice) {
  EXPECT_THAT(message_of<DataError>([] {
                file_names({"a.png", "a.png"});
              }),
              HasSubstr("\"a.png\" stands twice"));
  EXPECT_THAT(message_of<DataError>([] {
                file_names({"a", "b", "a"});
              }),
              HasSubstr("\"a\" stands twice"));
}

}  // namespace
}  // namespace calotype
