#include "core/printable.h"

#include <gtest/gtest.h>

#include <string>

namespace calotype {
namespace {

TEST(Printable, IsUndoneByRawName) {
  for (const std::string name :
       {"plain.png", "caf\xe9.png", "a\nb\tc", "写", "back\\slash", "\\xFF",
        "\\xFF\xff", "\\x5CxFF", "\\xg0"}) {
    EXPECT_EQ(raw_name(printable(name)), name);
  }
  EXPECT_EQ(printable("tab\there"), "tab\\x09here");
}

TEST(Printable, KeepsTwoNamesApart) {
  EXPECT_NE(printable("a\xff"), printable("a\\xFF"));
  EXPECT_EQ(printable("a\\xFF"), "a\\x5CxFF");
}

TEST(RawName, TakesWhatNoNameBecomesAsItIs) {
  EXPECT_EQ(raw_name("a\\x2Fb"), "a\\x2Fb");  // a slash is printable
  EXPECT_EQ(raw_name("a\\x00b"), "a\\x00b");  // no file has such a name
  EXPECT_EQ(raw_name("\\x41"), "\\x41");
}

}  // namespace
}  // namespace calotype
