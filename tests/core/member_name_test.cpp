#include "core/member_name.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/message_of.h"

namespace calotype {
namespace {

std::string refusal(const std::string& stored) {
  return message_of<DataError>([&] { member_name("a.tar", stored); });
}

TEST(MemberName, IsAPathBelowTheArchive) {
  EXPECT_EQ(member_name("a.tar", "a/b.png"), "a/b.png");
  EXPECT_EQ(member_name("a.tar", "./a//./b.png"), "a/b.png");
  EXPECT_EQ(member_name("a.tar", "..a/b..png"), "..a/b..png");
  EXPECT_EQ(member_name("a.tar", "a\\b"), "a\\b");
}

TEST(MemberName, NeverLeavesTheArchive) {
  EXPECT_EQ(refusal("../x.png"),
            "a.tar: member \"../x.png\" leaves the archive by \"..\"");
  EXPECT_EQ(refusal("a/../../x"),
            "a.tar: member \"a/../../x\" leaves the archive by \"..\"");
  EXPECT_EQ(refusal("/etc/passwd"),
            "a.tar: member \"/etc/passwd\" has an absolute path");
}

TEST(MemberName, IsAName) {
  EXPECT_EQ(refusal(""), "a.tar: member \"\" has no name");
  EXPECT_EQ(refusal("./."), "a.tar: member \"./.\" has no name");
  EXPECT_EQ(refusal(std::string("a\0b", 3)),
            "a.tar: member \"a\\x00b\" has a zero byte in its name");
  EXPECT_TRUE(refusal(std::string(4097, 'a')).ends_with("4096 bytes"));
}

}  // namespace
}  // namespace calotype
