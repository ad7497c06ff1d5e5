#include "diffusion/latent_space.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "core/error.h"
#include "diffusion/latent_diffusion.h"
#include "diffusion/samplers.h"
#include "tests/diffusion/toy_denoiser.h"
#include "tests/support/message_of.h"

namespace calotype {
namespace {

using testing::HasSubstr;

/// Channel 0 varies; channel 1 is 0.3 but for `std`.
LatentSpace with_dead_channel(double std) {
  auto space = toy_space();
  space.mean[1] = 0.3f;
  space.std[1] = std;
  return space;
}

TEST(LatentSpace, GoesToUnitVarianceAndBack) {
  const auto space = toy_space();
  const auto z = at::tensor({3.f, 0.f}).view({1, 2, 1, 1}).expand({1, 2, 4, 4});
  const auto seen = space.normalise(z);
  EXPECT_EQ(seen[0][0][0][0].item<double>(), 1);
  EXPECT_EQ(seen[0][1][0][0].item<double>(), 2);
  EXPECT_TRUE(at::equal(space.denormalise(seen), z));
}

TEST(LatentSpace, ShowsZerosWhereAChannelNeverChanges) {
  // 0, and what sums of squares leave of 0.
  for (const double std : {0., 2e-9}) {
    const auto space = with_dead_channel(std);
    space.validate("test");
    const auto z = at::full({3, 2, 4, 4}, 0.3f);
    const auto seen = space.normalise(z);
    EXPECT_EQ(seen.select(1, 1).abs().max().item<double>(), 0);
    EXPECT_NEAR(seen.select(1, 0).min().item<double>(), -0.35, 1e-6);
    // Whatever the network has made of it.
    const auto drawn = space.denormalise(1e6 * at::randn({3, 2, 4, 4}));
    EXPECT_TRUE(at::equal(drawn.select(1, 1), z.select(1, 1)));
  }
}

TEST(LatentSpace, KeepsAChannelThatHardlyChanges) {
  const auto space =
      with_dead_channel(1e-6);  // some 30 units in the last place
  EXPECT_FALSE(space.channel_is_constant(1));
  const auto z = at::full({1, 2, 4, 4}, 0.3f + 3e-6f);
  EXPECT_NEAR(space.normalise(z)[0][1][0][0].item<double>(), 3, 0.1);
}

TEST(LatentSpace, NamesTheChannelsThatNeverChange) {
  EXPECT_EQ(toy_space().constant_channels(), "");
  EXPECT_THAT(with_dead_channel(0).constant_channels(),
              HasSubstr("1 of 2 latent channels never change (number 1)"));
  auto zero = toy_space();
  zero.mean[0] = zero.std[0] = 0;
  EXPECT_TRUE(zero.channel_is_constant(0));
}

TEST(LatentSpace, RefusesWhatIsNoDeviation) {
  EXPECT_THAT(
      message_of<ConfigError>([] { with_dead_channel(-1).validate("space"); }),
      HasSubstr("space: std must be in [0"));
  EXPECT_THAT(message_of<ConfigError>(
                  [] { with_dead_channel(std::nan("")).validate("space"); }),
              HasSubstr("space: std"));
}

TEST(LatentDiffusion, DrawsAChannelThatNeverChangesAsItIs) {
  const auto denoiser = std::make_shared<FormulaDenoiser>(
      0, [](const at::Tensor& sample, const at::Tensor&, const at::Tensor&) {
        return 0.1 * sample + 1;
      });
  constexpr auto kDdim = "DDIMScheduler";
  for (const auto& [answer, scheduler] :
       {std::pair("epsilon", kDdim), std::pair("sample", kDdim),
        std::pair("v_prediction", kDdim),
        std::pair("flow_prediction", "FlowMatchEulerDiscreteScheduler"),
        std::pair("edm", "EDMEulerScheduler")}) {
    LatentDiffusionConfig config;
    config.scheduler.class_name = scheduler;
    config.scheduler.schedule.prediction_type = answer;
    LatentDiffusion model(denoiser, config, with_dead_channel(0));
    const auto samplers = sampler_names(config.scheduler.schedule);
    ASSERT_FALSE(samplers.empty());
    for (const auto& sampler : samplers) {
      GenerateRequest request;
      request.samples = at::arange(3, at::kLong);
      request.num_steps = 4;
      request.sampler = sampler;
      const auto drawn = model.generate(request);
      EXPECT_TRUE(at::equal(drawn.select(1, 1), at::full({3, 4, 4}, 0.3f)))
          << answer << " by " << sampler;
      EXPECT_GT(drawn.select(1, 0).std().item<double>(), 0);
    }
  }
}

}  // namespace
}  // namespace calotype
