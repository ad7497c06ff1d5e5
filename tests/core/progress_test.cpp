#include "core/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/runtime.h"

namespace calotype {
namespace {

using testing::HasSubstr;

TEST(DurationText, ShowsTwoUnits) {
  EXPECT_EQ(duration_text(0), "0s");
  EXPECT_EQ(duration_text(12.4), "12s");
  EXPECT_EQ(duration_text(59.6), "1m00s");
  EXPECT_EQ(duration_text(245), "4m05s");
  EXPECT_EQ(duration_text(3599.9), "1h00m");
  EXPECT_EQ(duration_text(3725), "1h02m");
  EXPECT_EQ(duration_text(360000), "100h00m");
  EXPECT_EQ(duration_text(-3), "0s");
}

TEST(BytesText, ShowsThreeDigitsOrFewer) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1.0 KiB");
  EXPECT_EQ(bytes_text(312 * 1024), "312 KiB");
  EXPECT_EQ(bytes_text(1.5 * 1024 * 1024 * 1024), "1.5 GiB");
  EXPECT_EQ(bytes_text(5e15), "4547 TiB");  // there is no larger unit
}

// What a finished job of `total` units that began at `start` leaves on stderr,
// which is a file here and not a terminal.
std::string stderr_of_job(int64_t total, int64_t start) {
  testing::internal::CaptureStderr();
  {
    Progress progress("encode", total, "images", start);
    progress.update(total, "loss 0.5");
  }
  return testing::internal::GetCapturedStderr();
}

TEST(Progress, EndsWithOnePlainLineInAFile) {
  const auto text = stderr_of_job(10, 0);
  EXPECT_THAT(text, testing::StartsWith("encode "));
  EXPECT_THAT(text, HasSubstr("10/10 images"));
  EXPECT_THAT(text, HasSubstr("loss 0.5"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

TEST(Progress, SaysNothingIfNothingWasLeftToDo) {
  EXPECT_EQ(stderr_of_job(10, 10), "");
}

TEST(Progress, IsSilentWhenQuiet) {
  set_quiet(true);
  EXPECT_EQ(stderr_of_job(10, 0), "");
  set_quiet(false);
}

TEST(Progress, CountsOnlyThisRunsWorkForTheRate) {
  set_quiet(true);
  Progress progress("train", 2'000'000, "steps", 1'000'000);
  const double begin = monotonic_s();
  while (monotonic_s() < begin + 0.01) {
  }
  progress.update(1'000'010);
  EXPECT_LE(progress.rate(), 10 / 0.01);
  EXPECT_GT(progress.rate(), 0);
  progress.finish();
  set_quiet(false);
}

}  // namespace
}  // namespace calotype
