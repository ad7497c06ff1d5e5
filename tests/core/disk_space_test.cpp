#include "core/disk_space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "core/error.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

TEST(DiskSpace, IsThatOfTheFolderThatWillHoldThePath) {
  const TempFolder folder;
  const auto here = free_bytes(folder.path());
  EXPECT_GT(here, 0);
  const auto later = free_bytes(folder / "not/made/yet");
  EXPECT_LT(std::abs(double(later - here)), 0.1 * double(here) + 1e9);
  EXPECT_GT(free_bytes("relative/and/not/there"), 0);
}

TEST(DiskSpace, WhatCannotFitIsRefused) {
  const TempFolder folder;
  EXPECT_NO_THROW(expect_space(folder.path(), 1));
  EXPECT_THAT(
      message_of<ConfigError>(
          [&] { expect_space(folder / "store", int64_t{1} << 62); }),
      testing::MatchesRegex(".*store: needs [0-9]+ TiB, and .* are free "
                            "there"));
}

}  // namespace
}  // namespace calotype
