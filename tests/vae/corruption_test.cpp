#include "vae/corruption.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"

namespace calotype {
namespace {

const at::Tensor kGrey = torch::zeros({64, 1, 28, 28});
const at::Tensor kSamples = torch::arange(64);

double share(const at::Tensor& condition) {
  return condition.to(torch::kDouble).mean().item<double>();
}

TEST(Corruption, GaussianHasItsStandardDeviationOnTheUnitScale) {
  const auto seen =
      corrupt({.kind = "gaussian", .sigma = 0.3}, kGrey, kSamples, 1, 0);
  EXPECT_NEAR(seen.std().item<double>() / 2, 0.3, 0.003);
  EXPECT_NEAR(seen.mean().item<double>(), 0, 0.01);
}

TEST(Corruption, MaskingTurnsItsShareBlackInAllChannels) {
  const auto colour = torch::zeros({64, 3, 28, 28});
  const auto seen =
      corrupt({.kind = "pixels", .share = 0.25}, colour, kSamples, 1, 0);
  EXPECT_NEAR(share(seen == -1), 0.25, 0.01);
  EXPECT_EQ(share(seen == -1) + share(seen == 0), 1);
  EXPECT_TRUE(torch::equal(seen.select(1, 0), seen.select(1, 2)));
}

TEST(Corruption, PatchesAreHiddenWhole) {
  // 30 is no multiple of 4: the last patches are cut.
  const auto seen = corrupt({.kind = "patches", .share = 0.5, .patch_size = 4},
                            torch::zeros({64, 1, 30, 30}), kSamples, 1, 0);
  const auto patch = seen.slice(2, 4, 8).slice(3, 8, 12).flatten(1);
  EXPECT_TRUE(torch::equal(patch.amin(1), patch.amax(1)));
  EXPECT_NEAR(share(seen == -1), 0.5, 0.03);
}

TEST(Corruption, SaltAndPepperAreAlike) {
  const auto seen =
      corrupt({.kind = "salt_and_pepper", .share = 0.2}, kGrey, kSamples, 1, 0);
  EXPECT_NEAR(share(seen == 1), 0.1, 0.01);
  EXPECT_NEAR(share(seen == -1), 0.1, 0.01);
}

TEST(Corruption, DependsOnTheSampleAndNotOnItsBatch) {
  for (const auto* kind :
       {"gaussian", "pixels", "patches", "salt_and_pepper"}) {
    const CorruptionConfig config{.kind = kind};
    const auto all = corrupt(config, kGrey, kSamples, 7, 3);
    const auto one =
        corrupt(config, kGrey.slice(0, 5, 6), kSamples.slice(0, 5, 6), 7, 3);
    EXPECT_TRUE(torch::equal(one, all.slice(0, 5, 6))) << kind;
    EXPECT_FALSE(torch::equal(all, corrupt(config, kGrey, kSamples, 7, 4)))
        << kind;
  }
}

TEST(Corruption, NoneIsTheImageItself) {
  EXPECT_TRUE(corrupt({}, kGrey, kSamples, 1, 0).is_same(kGrey));
}

TEST(Corruption, RefusesWhatItDoesNotKnow) {
  EXPECT_THROW(CorruptionConfig{.kind = "blur"}.validate(), ConfigError);
  EXPECT_THROW((CorruptionConfig{.kind = "pixels", .share = 1.5}.validate()),
               ConfigError);
  EXPECT_THROW((CorruptionConfig{.kind = "gaussian", .sigma = -1}.validate()),
               ConfigError);
}

}  // namespace
}  // namespace calotype
