#include "training/loss_curves.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::HasSubstr;
using testing::Not;

class NoiseCurves : public testing::Test {
 protected:
  void log(int64_t step, const char* key, const Json& means) {
    append_line_synced(
        file_,
        Json{{"step", step}, {"noise_level", "t / T"}, {key, means}}.dump());
  }

  TempFolder folder_;
  std::filesystem::path file_ = folder_ / "metrics.jsonl";
};

TEST_F(NoiseCurves, ShowTheFirstTheLastAndTwoBetween) {
  for (int64_t step = 100; step <= 1000; step += 100)
    log(step, "val_loss_by_noise", {0.1 / double(step), 2.0});
  const auto svg = noise_curves_svg(file_);
  for (const char* text : {">step 100<", ">step 200<", ">step 500<",
                           ">step 1000<", "t / T", "Validation loss"})
    EXPECT_THAT(svg, HasSubstr(text));
  EXPECT_THAT(svg, Not(HasSubstr(">step 300<")));
}

TEST_F(NoiseCurves, AreOfTrainingWhereNothingIsValidated) {
  log(1, "loss_by_noise", {0.5, nullptr, 2.0, 1.0});
  const auto svg = noise_curves_svg(file_);
  EXPECT_THAT(svg, HasSubstr("Training loss"));
  EXPECT_THAT(svg, HasSubstr("<polyline"));
  log(2, "val_loss_by_noise", {0.5, 2.0});
  EXPECT_THAT(noise_curves_svg(file_), HasSubstr("Validation loss"));
}

TEST_F(NoiseCurves, AreNoneWithoutNoise) {
  append_line_synced(file_, R"({"step": 1, "loss": 3})");
  EXPECT_EQ(noise_curves_svg(file_), "");
}

}  // namespace
}  // namespace calotype
