#include "core/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <csignal>
#include <filesystem>

#include "core/config.h"
#include "core/error.h"

namespace calotype {
namespace {

using testing::HasSubstr;
using testing::Not;

template <class Action>
Failure failure_of(Action&& action) {
  try {
    action();
  } catch (...) {
    return current_failure();
  }
  return {.text = "nothing thrown", .code = 0};
}

TEST(Failure, HasTheExitCodeOfItsKind) {
  EXPECT_EQ(failure_of([] { throw ConfigError("a"); }).code, 2);
  EXPECT_EQ(failure_of([] { throw DataError("b"); }).code, 3);
  EXPECT_EQ(failure_of([] { throw ShapeError("c"); }).code, 1);
  EXPECT_EQ(failure_of([] { throw Interrupted(SIGHUP); }).code, 129);
  EXPECT_EQ(failure_of([] { throw 7; }).text, "unknown error");
}

TEST(Failure, OfLibTorchIsOneLineWithoutFrames) {
  const auto failure = failure_of([] {
    torch::zeros({2, 3}).matmul(torch::zeros({2, 3}));
  });
  EXPECT_EQ(failure.code, 1);
  EXPECT_THAT(failure.text, HasSubstr("2x3"));
  EXPECT_THAT(failure.text, Not(HasSubstr("frame #")));
  EXPECT_THAT(failure.text, Not(HasSubstr("\n")));
  EXPECT_THAT(failure.text, Not(HasSubstr("\\x0A")));
}

TEST(Failure, OfMemoryIsToldAsSuch) {
  const auto of_libtorch =
      failure_of([] { torch::empty({int64_t{1} << 60}, torch::kByte); });
  EXPECT_THAT(of_libtorch.text,
              testing::StartsWith("out of memory (can't allocate memory"));
  EXPECT_EQ(of_libtorch.code, 1);
  EXPECT_EQ(failure_of([] { throw std::bad_alloc(); }).text,
            "out of memory; a smaller batch or smaller images need less");
}

TEST(Failure, OfTheFileSystemNamesThePath) {
  const auto failure = failure_of([] {
    for (const auto& entry : std::filesystem::directory_iterator("/none/such"))
      (void)entry;
  });
  EXPECT_EQ(failure.text, "/none/such: No such file or directory");
  EXPECT_EQ(failure.code, 2);
}

TEST(Failure, OfJsonOfAnotherFormIsABadFile) {
  const auto failure = failure_of([] { Json("text").at("key"); });
  EXPECT_EQ(failure.code, 3);
  EXPECT_THAT(failure.text, HasSubstr("cannot use at() with string"));
}

TEST(Failure, IsOneLineOfUtf8WhateverAPathHolds) {
  EXPECT_EQ(failure_of([] { throw ConfigError("a\nb\xff: no"); }).text,
            "a\\x0Ab\\xFF: no");
  EXPECT_EQ(one_line("caf\\xE9\n"), "caf\\xE9\\x0A");  // once escaped
}

}  // namespace
}  // namespace calotype
