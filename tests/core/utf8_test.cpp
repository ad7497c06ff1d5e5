#include "core/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace calotype {
namespace {

TEST(Utf8, IsThatOfItsStandard) {
  for (const auto* text :
       {"", "a\n\x7f", "\u00e9", "\u20ac", "\U0001F600", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_utf8(text)) << text;
  // A byte too few, one too many, overlong, a surrogate, above U+10FFFF.
  for (const auto* text : {"\xc3", "\xc3\xa9\xa9", "\xc0\x80", "\xe0\x80\x80",
                           "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"})
    EXPECT_FALSE(is_utf8(text)) << text;
  EXPECT_TRUE(is_utf8(std::string(1, '\0')));
}

}  // namespace
}  // namespace calotype
