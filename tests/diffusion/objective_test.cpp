#include "diffusion/objective.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "tests/diffusion/toy_denoiser.h"

namespace calotype {
namespace {

Batch toy_batch(int64_t size) {
  torch::manual_seed(3);
  Batch batch;
  batch.data = torch::randn({size, 2, 4, 4});
  batch.logvar = torch::randn({size, 2, 4, 4});
  batch.labels = torch::arange(size, torch::kLong).remainder(5);
  batch.samples = torch::arange(100, 100 + size, torch::kLong);
  batch.seed = 7;
  batch.step = 11;
  return batch;
}

Batch row_of(const Batch& batch, int64_t row) {
  Batch one = batch;
  one.data = batch.data.slice(0, row, row + 1);
  one.logvar = batch.logvar.slice(0, row, row + 1);
  one.labels = batch.labels.slice(0, row, row + 1);
  one.samples = batch.samples.slice(0, row, row + 1);
  return one;
}

TEST(Objective, DrawsDoNotDependOnTheRestOfTheBatch) {
  const Objective objective({}, {}, toy_space());
  const auto batch = toy_batch(6);
  const auto all = objective.draw(batch, 5);
  for (int64_t row = 0; row < 6; ++row) {
    const auto one = objective.draw(row_of(batch, row), 5);
    EXPECT_TRUE(torch::equal(one.sample[0], all.sample[row]));
    EXPECT_TRUE(torch::equal(one.target[0], all.target[row]));
    EXPECT_TRUE(torch::equal(one.t[0], all.t[row]));
    EXPECT_TRUE(torch::equal(one.labels[0], all.labels[row]));
  }
}

TEST(Objective, DrawsAnewAtEveryStep) {
  const Objective objective({}, {}, toy_space());
  auto batch = toy_batch(6);
  const auto before = objective.draw(batch, 5);
  ++batch.step;
  const auto after = objective.draw(batch, 5);
  EXPECT_FALSE(torch::equal(before.t, after.t));
  EXPECT_FALSE(torch::equal(before.target, after.target));
}

TEST(Objective, TimestepsAreUniform) {
  ScheduleConfig schedule;
  schedule.num_train_timesteps = 4;
  const Objective objective({}, schedule, toy_space(1, 1));
  Batch batch;
  batch.data = torch::zeros({8000, 2, 1, 1});
  batch.samples = torch::arange(8000, torch::kLong);
  const auto counts = torch::bincount(objective.draw(batch, 0).t, {}, 4);
  // 2000 each; the standard deviation is 39.
  EXPECT_LT((counts - 2000).abs().max().item<int64_t>(), 160);
}

TEST(Objective, HidesTheConfiguredShareOfLabels) {
  ObjectiveConfig config;
  config.label_dropout = 0.3;
  const Objective objective(config, {}, toy_space(1, 1));
  Batch batch;
  batch.data = torch::zeros({20000, 2, 1, 1});
  batch.labels = torch::full({20000}, 2, torch::kLong);
  batch.samples = torch::arange(20000, torch::kLong);
  const auto labels = objective.draw(batch, 5).labels;
  EXPECT_NEAR(labels.eq(5).to(torch::kFloat).mean().item<float>(), 0.3, 0.015);
  EXPECT_TRUE(labels.eq(5).logical_or(labels.eq(2)).all().item<bool>());
}

TEST(Objective, SamplesWithoutLabelAreShownNone) {
  ObjectiveConfig config;
  config.label_dropout = 0;
  auto batch = toy_batch(2);
  batch.labels = torch::tensor({-1, 4}, torch::kLong);
  EXPECT_TRUE(
      torch::equal(Objective(config, {}, toy_space()).draw(batch, 5).labels,
                   torch::tensor({5, 4}, torch::kLong)));
}

TEST(Objective, DrawsNormalisedLatentsFromTheirPosterior) {
  ScheduleConfig schedule;
  schedule.prediction_type = "sample";  // then the target is what was drawn
  Batch batch;
  batch.data = torch::full({4000, 2, 1, 1}, 5.f);
  batch.logvar = torch::full({4000, 2, 1, 1}, std::log(0.25f));
  batch.samples = torch::arange(4000, torch::kLong);
  const auto drawn =
      Objective({}, schedule, toy_space(1, 1)).draw(batch, 0).target.flatten(1);
  // (5 - 1) / 2 and (5 + 1) / 0.5; 0.5 / 2 and 0.5 / 0.5.
  EXPECT_TRUE(
      torch::allclose(drawn.mean(0), torch::tensor({2.f, 12.f}), 0, 0.06));
  EXPECT_TRUE(
      torch::allclose(drawn.std(0), torch::tensor({0.25f, 1.f}), 0.05, 0));
  batch.logvar = at::Tensor();
  const auto fixed =
      Objective({}, schedule, toy_space(1, 1)).draw(batch, 0).target.flatten(1);
  EXPECT_TRUE(
      torch::equal(fixed, torch::tensor({{2.f, 12.f}}).expand({4000, 2})));
}

// alpha_bar is 0.5 and 0.25, so the ratios are 1 and 1/3.
TEST(Objective, MinSnrWeightsByHand) {
  ScheduleConfig schedule;
  schedule.num_train_timesteps = 2;
  schedule.trained_betas = {0.5, 0.5};
  ObjectiveConfig config{.weighting = "min_snr", .min_snr_gamma = 0.5};
  const auto weights = [&](const char* type) {
    schedule.prediction_type = type;
    return Objective(config, schedule, toy_space()).weights(torch::arange(2));
  };
  EXPECT_TRUE(
      torch::allclose(weights("sample"), torch::tensor({0.5f, 1 / 3.f})));
  EXPECT_TRUE(torch::allclose(weights("epsilon"), torch::tensor({0.5f, 1.f})));
  EXPECT_TRUE(
      torch::allclose(weights("v_prediction"), torch::tensor({0.25f, 0.25f})));
  config.weighting = "uniform";
  EXPECT_TRUE(torch::equal(weights("sample"), torch::ones({2})));
}

TEST(Objective, WeightsStayFiniteWithoutSignal) {
  ScheduleConfig schedule;
  schedule.rescale_betas_zero_snr = true;
  const Objective objective({.weighting = "min_snr"}, schedule, toy_space());
  EXPECT_EQ(objective.weights(torch::tensor({999})).item<float>(), 1);
}

TEST(Objective, LossIsTheMeanSquaredError) {
  FormulaDenoiser zero(
      0, [](const at::Tensor& sample, const at::Tensor&, const at::Tensor&) {
        return torch::zeros_like(sample);
      });
  const Objective objective({}, {}, toy_space());
  const auto batch = toy_batch(6);
  const auto losses = objective.losses(zero, batch);
  const auto expected = objective.draw(batch, 0).target.square().mean();
  EXPECT_TRUE(torch::allclose(losses.total, expected));
  ASSERT_EQ(losses.parts.size(), 1u);
  EXPECT_EQ(losses.parts[0].first, "mse");
  EXPECT_TRUE(torch::allclose(losses.parts[0].second, expected));
}

TEST(Objective, RefusesLabelsOutsideTheClasses) {
  auto batch = toy_batch(2);
  batch.labels = torch::tensor({0, 5}, torch::kLong);
  EXPECT_THROW(Objective({}, {}, toy_space()).draw(batch, 5), ConfigError);
}

TEST(ObjectiveConfig, RefusesUnknownWeighting) {
  try {
    ObjectiveConfig{.weighting = "snr"}.validate();
    FAIL() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(
        error.what(),
        "objective: weighting must be one of uniform, min_snr, got snr");
  }
}

}  // namespace
}  // namespace calotype
