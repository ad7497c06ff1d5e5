#include "datasets/spec_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/message_of.h"

namespace calotype {
namespace {

using testing::ElementsAre;

TEST(SpecPattern, BracesAreListsAndRanges) {
  EXPECT_THAT(expand_braces("part-{008..010}.tar"),
              ElementsAre("part-008.tar", "part-009.tar", "part-010.tar"));
  EXPECT_THAT(expand_braces("{9..11}"), ElementsAre("9", "10", "11"));
  EXPECT_THAT(expand_braces("{2..1}"), ElementsAre("2", "1"));
  EXPECT_THAT(expand_braces("{a,b}{1,2}"), ElementsAre("a1", "a2", "b1", "b2"));
  EXPECT_THAT(expand_braces("{x-{0..1},y}.zip"),
              ElementsAre("x-0.zip", "x-1.zip", "y.zip"));
  EXPECT_THAT(expand_braces("{a}"), ElementsAre("{a}"));
  EXPECT_THAT(expand_braces("a{"), ElementsAre("a{"));
  EXPECT_FALSE(is_pattern("{a}.tar"));
}

TEST(SpecPattern, WhatIsMeantForMillionsIsRefused) {
  EXPECT_EQ(message_of<ConfigError>([] { expand_braces("{0..999999999}"); }),
            "{0..999999999}: stands for more than 100000 names");
  EXPECT_EQ(message_of<ConfigError>([] { expand_braces("{0..999}{0..999}"); }),
            "{0..999}{0..999}: stands for more than 100000 names");
}

TEST(SpecPattern, SeveralAreJoined) {
  EXPECT_EQ(join_specs({"a"}), "a");
  EXPECT_EQ(join_specs({"a.tar", "b-{0..1}.tar"}), "{a.tar,b-{0..1}.tar}");
  EXPECT_THAT(expand_braces(join_specs({"a.tar", "b-{0..1}.tar"})),
              ElementsAre("a.tar", "b-0.tar", "b-1.tar"));
  EXPECT_EQ(message_of<ConfigError>([] {
              join_specs({"a,b", "c"});
            }),
            "a,b: a name with a comma cannot be one of several --data");
}

}  // namespace
}  // namespace calotype
