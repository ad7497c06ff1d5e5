#include "diffusion/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/error.h"
#include "diffusion/prediction.h"
#include "diffusion/timesteps.h"
#include "tests/diffusion/halving.h"
#include "tests/support/message_of.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(NoiseSchedule, MultipliesOneMinusBeta) {
  const NoiseSchedule schedule(halving());
  EXPECT_EQ(schedule.alpha_bar(0), 0.5f);
  EXPECT_EQ(schedule.alpha_bar(1), 0.25f);
}

TEST(NoiseSchedule, LinearBetasRunFromStartToEnd) {
  ScheduleConfig config;
  config.num_train_timesteps = 3;
  config.beta_start = 0.1;
  config.beta_end = 0.3;
  const NoiseSchedule schedule(config);
  EXPECT_FLOAT_EQ(schedule.alpha_bar(0), 0.9f);
  EXPECT_FLOAT_EQ(schedule.alpha_bar(2), 0.9f * 0.8f * 0.7f);
}

TEST(NoiseSchedule, MixesSampleAndNoiseByVariance) {
  const auto mixture = NoiseSchedule(halving()).mixture(1);
  EXPECT_DOUBLE_EQ(mixture.signal, 0.5);
  EXPECT_DOUBLE_EQ(mixture.noise, std::sqrt(0.75));
  EXPECT_DOUBLE_EQ(mixture.sigma(), std::sqrt(3.0));
}

// GeoDiff's betas: a sigmoid over [-6, 6] between start and end.
TEST(NoiseSchedule, SigmoidBetasByHand) {
  ScheduleConfig config;
  config.num_train_timesteps = 3;
  config.beta_schedule = "sigmoid";
  config.beta_start = 0.1;
  config.beta_end = 0.3;
  const double low = 0.1 + 0.2 / (1 + std::exp(6.0));
  EXPECT_NEAR(NoiseSchedule(config).alpha_bar(1), (1 - low) * 0.8, 1e-6);
}

TEST(NoiseSchedule, ZeroSnrEndsAtExactlyZeroAndKeepsTheFirst) {
  for (const auto* name : {"linear", "scaled_linear", "squaredcos_cap_v2"}) {
    ScheduleConfig config;
    config.beta_schedule = name;
    const NoiseSchedule plain(config);
    config.rescale_betas_zero_snr = true;
    const NoiseSchedule rescaled(config);
    EXPECT_EQ(rescaled.alpha_bar(999), 0) << name;
    EXPECT_GT(rescaled.alpha_bar(998), 0) << name;
    EXPECT_FLOAT_EQ(rescaled.alpha_bar(0), plain.alpha_bar(0)) << name;
  }
}

TEST(Prediction, EveryTypeGivesBackTheSample) {
  torch::manual_seed(1);
  const auto x0 = torch::randn({3, 2, 4, 4}),
             noise = torch::randn({3, 2, 4, 4});
  for (const auto* type :
       {"epsilon", "sample", "v_prediction", "flow_prediction", "edm"})
    for (const double sigma : {0.05, 1.0, 7.0}) {
      ScheduleConfig config;
      config.prediction_type = type;
      Mixture mixture{1 / std::hypot(sigma, 1), sigma / std::hypot(sigma, 1)};
      if (noise_path(config) == NoisePath::kFlow)
        mixture = {1 / (1 + sigma), sigma / (1 + sigma)};
      if (noise_path(config) == NoisePath::kVarianceExploding)
        mixture = {1, sigma};
      const DrawnLevels levels{torch::full({3}, mixture.signal),
                               torch::full({3}, mixture.noise)};
      const auto target = prediction_target(config, x0, noise, levels);
      const auto state = mixture.signal * x0 + mixture.noise * noise;
      EXPECT_TRUE(torch::allclose(predicted_x0(config, target, state, mixture),
                                  x0, 1e-4, 1e-5))
          << type << ' ' << sigma;
      // The network is shown the same in training and in sampling.
      EXPECT_TRUE(torch::allclose(training_input(config, x0, noise, levels),
                                  state * input_scale(config, mixture), 1e-5,
                                  1e-6))
          << type << ' ' << sigma;
      // A wrong answer means a wrong x_0, by the ratio.
      const auto off = predicted_x0(config, target + 1, state, mixture) - x0;
      EXPECT_TRUE(torch::allclose(
          off.square()[0][0][0][0] * squared_error_ratio(config, levels)[0],
          torch::ones({}), 1e-2, 1e-3))
          << type << ' ' << sigma;
    }
}

// A state that was scaled to x_0 + sigma epsilon is read alike.
TEST(Prediction, ReadsScaledStatesAlike) {
  torch::manual_seed(1);
  const auto output = torch::randn({2, 3}), state = torch::randn({2, 3});
  for (const auto* type : {"epsilon", "v_prediction"}) {
    ScheduleConfig config;
    config.prediction_type = type;
    const Mixture original{0.6, 0.8}, scaled{1, 0.8 / 0.6};
    EXPECT_TRUE(
        torch::allclose(predicted_x0(config, output, state, original),
                        predicted_x0(config, output, state / 0.6, scaled)));
  }
}

TEST(Prediction, ThresholdingScalesEachSampleByItsOwnQuantile) {
  ScheduleConfig config;
  config.thresholding = true;
  config.dynamic_thresholding_ratio = 0.5;
  config.sample_max_value = 3;
  // Medians of the magnitudes are 2, below 1 (then 1), and above 3 (then 3).
  const auto x0 =
      torch::tensor({{1.f, -2.f, 4.f}, {0.1f, -0.2f, 4.f}, {6.f, 9.f, -9.f}});
  EXPECT_TRUE(torch::allclose(
      bound_x0(x0, config),
      torch::tensor(
          {{0.5f, -1.f, 1.f}, {0.1f, -0.2f, 1.f}, {1.f, 1.f, -1.f}})));
}

TEST(Prediction, ClippingKeepsToTheRange) {
  ScheduleConfig config;
  config.clip_sample = true;
  config.clip_sample_range = 2;
  EXPECT_TRUE(
      torch::equal(bound_x0(torch::tensor({{-5.f, 1.5f, 2.5f}}), config),
                   torch::tensor({{-2.f, 1.5f, 2.f}})));
}

// T = 10 in 4 steps, by numpy 1.24: arange(4) * 2, linspace(0, 9, 4).round(),
// and round(arange(10, 0, -2.5)) - 1, where 7.5 and 2.5 round to 8 and 2.
TEST(Timesteps, FollowTheirSpacing) {
  ScheduleConfig config;
  config.num_train_timesteps = 10;
  EXPECT_THAT(whole_timesteps(config, 4), ElementsAre(6, 4, 2, 0));
  config.steps_offset = 1;
  EXPECT_THAT(whole_timesteps(config, 4), ElementsAre(7, 5, 3, 1));
  config.timestep_spacing = "linspace";
  EXPECT_THAT(whole_timesteps(config, 4), ElementsAre(9, 6, 3, 0));
  EXPECT_THAT(whole_timesteps(config, 1), ElementsAre(0));
  config.timestep_spacing = "trailing";
  EXPECT_THAT(whole_timesteps(config, 4), ElementsAre(9, 7, 4, 1));
  EXPECT_THAT(whole_timesteps(config, 1), ElementsAre(9));
}

TEST(Timesteps, RefuseMoreStepsThanThereAre) {
  ScheduleConfig config;
  config.num_train_timesteps = 10;
  EXPECT_EQ(message_of<ConfigError>([&] { spaced_timesteps(config, 11); }),
            "sampler: num_steps must be in [1, 10], got 11");
  config.steps_offset = 1;
  EXPECT_EQ(
      message_of<ConfigError>([&] { spaced_timesteps(config, 10); }),
      "sampler: 10 leading steps with steps_offset 1 begin at timestep 10, but "
      "the highest is 9");
}

TEST(ScheduleConfig, RefusesWhatItCannotDo) {
  const auto message = [](auto change) {
    ScheduleConfig config;
    change(config);
    return message_of<ConfigError>([&] { NoiseSchedule{config}; });
  };
  EXPECT_EQ(message([](auto& c) { c.beta_schedule = "cosine"; }),
            "schedule: beta_schedule must be one of linear, scaled_linear, "
            "squaredcos_cap_v2, sigmoid, got cosine");
  EXPECT_EQ(message([](auto& c) {
              c.variance_type = "learned_range";
              c.prediction_type = "edm";
            }),
            "schedule: variance_type learned_range needs a prediction_type of "
            "epsilon, sample or v_prediction, got edm");
  EXPECT_THAT(message([](auto& c) {
                c.prediction_type = "flow_prediction";
                c.use_karras_sigmas = true;
              }),
              HasSubstr("a flow has levels of its own"));
  EXPECT_EQ(message([](auto& c) { c.trained_betas = {0.1}; }),
            "schedule: trained_betas must hold num_train_timesteps = 1000 "
            "numbers, got 1");
  EXPECT_THAT(message([](auto& c) { c.prediction_type = "flow"; }),
              HasSubstr("must be one of epsilon, sample, v_prediction, "
                        "flow_prediction, edm, got flow"));
  EXPECT_THAT(message([](auto& c) { c.beta_end = 1e-5; }),
              HasSubstr("beta_end"));
}

TEST(Prediction, EpsilonCannotStartFromPureNoise) {
  const auto one = torch::ones({1, 1});
  EXPECT_THAT(message_of<ConfigError>([&] {
                predicted_x0({}, one, one, {0, 1});
              }),
              HasSubstr("cannot start from pure noise"));
}

}  // namespace
}  // namespace calotype
