#include "diffusion/training_levels.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"
#include "diffusion/learned_variance.h"

namespace calotype {
namespace {

Batch many() {
  Batch batch;
  batch.samples = torch::arange(8000, torch::kLong);
  batch.seed = 3;
  return batch;
}

double mean_of(const at::Tensor& values) {
  return values.to(torch::kDouble).mean().item<double>();
}

TEST(TrainingLevels, TimestepsAreUniform) {
  ScheduleConfig schedule;
  schedule.num_train_timesteps = 4;
  const auto counts =
      torch::bincount(TrainingLevels({}, schedule).draw(many()).t, {}, 4);
  // 2000 each; the standard deviation is 39.
  EXPECT_LT((counts - 2000).abs().max().item<int64_t>(), 160);
}

TEST(TrainingLevels, LogitNormalPrefersTheMiddle) {
  ScheduleConfig schedule;
  const auto t =
      TrainingLevels({.distribution = "logit_normal"}, schedule).draw(many()).t;
  const auto middle = t.ge(250).logical_and(t.lt(750));
  // |logit| < log 3 = 1.0986 of a standard normal: 72.8 %.
  EXPECT_NEAR(mean_of(middle), 0.728, 0.02);
  EXPECT_LT(t.max().item<int64_t>(), 1000);
}

TEST(TrainingLevels, OfAFlowAreShiftedTowardsNoise) {
  ScheduleConfig schedule;
  schedule.prediction_type = "flow_prediction";
  const auto plain = TrainingLevels({}, schedule).draw(many());
  EXPECT_NEAR(mean_of(plain.noise), 0.5, 0.015);
  EXPECT_TRUE(torch::allclose(plain.signal + plain.noise, torch::ones({8000})));
  EXPECT_TRUE(torch::allclose(plain.timestep, plain.noise * 1000));
  schedule.shift = 3;
  const auto shifted = TrainingLevels({}, schedule).draw(many());
  EXPECT_TRUE(
      torch::allclose(shifted.noise, 3 * plain.noise / (1 + 2 * plain.noise)));
}

TEST(TrainingLevels, OfEdmAreLogNormal) {
  ScheduleConfig schedule;
  schedule.prediction_type = "edm";
  const auto levels = TrainingLevels({}, schedule).draw(many());
  EXPECT_NEAR(mean_of(levels.noise.log()), -1.2, 0.05);
  EXPECT_NEAR(levels.noise.log().std().item<double>(), 1.2, 0.05);
  EXPECT_TRUE(
      torch::allclose(levels.timestep, levels.noise.log() / 4, 1e-5, 1e-6));
}

TEST(TimeSamplingConfig, RefusesUnknownDistributions) {
  try {
    TimeSamplingConfig{.distribution = "normal"}.validate();
    FAIL() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(),
                 "objective: time_sampling: distribution must be one of "
                 "uniform, logit_normal, got normal");
  }
}

// alpha_bar = 0.5, 0.25; x_0 = 1 and epsilon = 2 everywhere.
TEST(LearnedVariance, BitsByHand) {
  ScheduleConfig config;
  config.num_train_timesteps = 2;
  config.trained_betas = {0.5, 0.5};
  config.variance_type = "learned_range";
  const NoiseSchedule schedule(config);
  // Of both timesteps the variance may lie between 1/3 and beta = 1/2.
  const double third = std::log(1.0 / 3), half = std::log(0.5);
  const auto bits = [&](int64_t t, double epsilon, double log_of) {
    const double place = 2 * (log_of - third) / (half - third) - 1;
    const auto answer = torch::cat(
        {torch::full({1, 1, 1, 1}, epsilon), torch::full({1, 1, 1, 1}, place)},
        1);
    return variational_bits(config, schedule, torch::ones({1, 1, 1, 1}),
                            torch::full({1, 1, 1, 1}, 2.0),
                            torch::full({1}, t, torch::kLong), answer)
        .item<double>();
  };
  // At t = 1 the posterior's variance is 0.5 / 0.75 * 0.5 = 1/3: nothing is
  // lost by that and the true noise.
  EXPECT_NEAR(bits(1, 2, third), 0, 1e-6);
  // Twice the variance: (log 2 - 1 + 1/2) / 2 nats.
  EXPECT_NEAR(bits(1, 2, third + std::log(2.0)),
              0.5 * (std::log(2.0) - 0.5) / std::log(2.0), 1e-6);
  // The wrong noise 1: x_0 is off by sqrt(0.75) / 0.5, the mean by that times
  // sqrt(0.5) 0.5 / 0.75, squared 2/3, over 2 / 3.
  EXPECT_NEAR(bits(1, 1, third), 1 / std::log(2.0), 1e-5);
  // At t = 0 the density of x_0 under N(1, 1).
  EXPECT_NEAR(bits(0, 2, 0), 0.5 * std::log(2 * M_PI) / std::log(2.0), 1e-5);
}

TEST(LearnedVariance, RangesBetweenPosteriorAndBeta) {
  const auto at_ends = log_variance(torch::tensor({-1.f, 0.f, 1.f}),
                                    torch::tensor(-4.f), torch::tensor(-2.f));
  EXPECT_TRUE(torch::allclose(at_ends, torch::tensor({-4.f, -3.f, -2.f})));
}

}  // namespace
}  // namespace calotype
