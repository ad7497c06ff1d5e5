#include "diffusion/objective.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

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
    EXPECT_TRUE(torch::equal(one.x0[0], all.x0[row]));
    EXPECT_TRUE(torch::equal(one.noise[0], all.noise[row]));
    EXPECT_TRUE(torch::equal(one.levels.t[0], all.levels.t[row]));
    EXPECT_TRUE(torch::equal(one.labels[0], all.labels[row]));
  }
}

TEST(Objective, DrawsAnewAtEveryStep) {
  const Objective objective({}, {}, toy_space());
  auto batch = toy_batch(6);
  const auto before = objective.draw(batch, 5);
  ++batch.step;
  const auto after = objective.draw(batch, 5);
  EXPECT_FALSE(torch::equal(before.levels.t, after.levels.t));
  EXPECT_FALSE(torch::equal(before.noise, after.noise));
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
  Batch batch;
  batch.data = torch::full({4000, 2, 1, 1}, 5.f);
  batch.logvar = torch::full({4000, 2, 1, 1}, std::log(0.25f));
  batch.samples = torch::arange(4000, torch::kLong);
  const auto drawn =
      Objective({}, {}, toy_space(1, 1)).draw(batch, 0).x0.flatten(1);
  // (5 - 1) / 2 and (5 + 1) / 0.5; 0.5 / 2 and 0.5 / 0.5.
  EXPECT_TRUE(
      torch::allclose(drawn.mean(0), torch::tensor({2.f, 12.f}), 0, 0.06));
  EXPECT_TRUE(
      torch::allclose(drawn.std(0), torch::tensor({0.25f, 1.f}), 0.05, 0));
  batch.logvar = at::Tensor();
  const auto fixed =
      Objective({}, {}, toy_space(1, 1)).draw(batch, 0).x0.flatten(1);
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
    const Objective objective(config, schedule, toy_space());
    return objective.weights(objective.levels().at_timesteps(torch::arange(2)));
  };
  EXPECT_TRUE(
      torch::allclose(weights("sample"), torch::tensor({0.5f, 1 / 3.f})));
  EXPECT_TRUE(torch::allclose(weights("epsilon"), torch::tensor({0.5f, 1.f})));
  EXPECT_TRUE(
      torch::allclose(weights("v_prediction"), torch::tensor({0.25f, 0.25f})));
  config.weighting = "uniform";
  EXPECT_TRUE(torch::equal(weights("sample"), torch::ones({2})));
  // 1/sigma^2 + 1 = SNR + 1, which makes v's weights 1.
  config.weighting = "edm";
  EXPECT_TRUE(
      torch::allclose(weights("sample"), torch::tensor({2.f, 4 / 3.f})));
  EXPECT_TRUE(torch::allclose(weights("epsilon"), torch::tensor({2.f, 4.f})));
  EXPECT_TRUE(torch::allclose(weights("v_prediction"), torch::ones({2})));
}

TEST(Objective, WeightsStayFiniteWithoutSignal) {
  ScheduleConfig schedule;
  schedule.rescale_betas_zero_snr = true;
  const Objective objective({.weighting = "min_snr"}, schedule, toy_space());
  const auto last = objective.levels().at_timesteps(torch::tensor({999}));
  EXPECT_EQ(objective.weights(last).item<float>(), 1);
}

TEST(Objective, LossIsTheMeanSquaredError) {
  FormulaDenoiser zero(
      0, [](const at::Tensor& sample, const at::Tensor&, const at::Tensor&) {
        return torch::zeros_like(sample);
      });
  const Objective objective({}, {}, toy_space());
  const auto batch = toy_batch(6);
  const auto losses = objective.losses(zero, batch);
  const auto expected = objective.draw(batch, 0).noise.square().mean();
  EXPECT_TRUE(torch::allclose(losses.total, expected));
  ASSERT_EQ(losses.parts.size(), 1u);
  EXPECT_EQ(losses.parts[0].first, "mse");
  EXPECT_TRUE(torch::allclose(losses.parts[0].second, expected));
}

// What a perfect network answers has no error, whatever it is asked for.
TEST(Objective, APerfectAnswerCostsNothing) {
  for (const auto* type :
       {"epsilon", "sample", "v_prediction", "flow_prediction", "edm"})
    for (const auto* weighting : {"uniform", "min_snr", "edm"}) {
      ScheduleConfig schedule;
      schedule.prediction_type = type;
      const ObjectiveConfig config{.weighting = weighting};
      const Objective objective(config, schedule, toy_space());
      const auto batch = toy_batch(6);
      const auto drawn = objective.draw(batch, 0);
      FormulaDenoiser perfect(0, [&](const at::Tensor& sample,
                                     const at::Tensor& timestep,
                                     const at::Tensor&) {
        EXPECT_TRUE(torch::equal(
            sample,
            training_input(schedule, drawn.x0, drawn.noise, drawn.levels)));
        EXPECT_TRUE(torch::equal(timestep, drawn.levels.timestep));
        return prediction_target(schedule, drawn.x0, drawn.noise, drawn.levels);
      });
      EXPECT_EQ(objective.losses(perfect, batch).total.item<float>(), 0)
          << type;
    }
}

// An error in the answer, seen as an error of x_0, must have the weight that
// was meant: uniform in EDM's terms is EDM's weight of x_0.
TEST(Objective, EdmIsUniformInItsOwnTerms) {
  ScheduleConfig schedule;
  schedule.prediction_type = "edm";
  const Objective objective({.weighting = "edm"}, schedule, toy_space());
  const auto weights = objective.weights(
      objective.levels().at_log_sigmas(torch::tensor({-3.f, 0.f, 3.f})));
  EXPECT_TRUE(torch::allclose(weights, torch::ones({3})));
}

// A network that answers 0 is off by what that means for x_0: with epsilon, by
// the noise over the signal.
TEST(Objective, TellsTheErrorOfEachSampleAtItsLevel) {
  FormulaDenoiser zero(
      0, [](const at::Tensor& sample, const at::Tensor&, const at::Tensor&) {
        return torch::zeros_like(sample);
      });
  // Weights do not touch it.
  const Objective objective({.weighting = "min_snr"}, {}, toy_space());
  const auto batch = toy_batch(6);
  const auto by_level = objective.losses(zero, batch).by_level;
  const auto drawn = objective.draw(batch, 0);
  const auto sigma = drawn.levels.noise / drawn.levels.signal;
  EXPECT_TRUE(torch::allclose(by_level.level, sigma.atan() * (2 / M_PI)));
  const auto error = drawn.noise.square().flatten(1).mean(1) * sigma.square();
  EXPECT_TRUE(torch::allclose(by_level.loss, error, 1e-4, 1e-6));
  EXPECT_FALSE(by_level.loss.requires_grad());
}

// A network that answers 0 has a loss of the target's variance: 1 for epsilon
// and for EDM of data with its deviation, 2 for a flow.
TEST(Objective, TargetsHaveTheVarianceThatTheirPapersSay) {
  FormulaDenoiser zero(
      0, [](const at::Tensor& sample, const at::Tensor&, const at::Tensor&) {
        return torch::zeros_like(sample);
      });
  torch::manual_seed(1);
  Batch batch;
  batch.data = torch::randn({20000, 2, 1, 1});
  batch.samples = torch::arange(20000, torch::kLong);
  auto space = toy_space(1, 1);
  space.mean = {0, 0};
  space.std = {1, 1};
  const auto loss = [&](const char* type) {
    ScheduleConfig schedule;
    schedule.prediction_type = type;
    schedule.sigma_data = 1;
    return Objective({}, schedule, space)
        .losses(zero, batch)
        .total.item<double>();
  };
  EXPECT_NEAR(loss("epsilon"), 1, 0.03);
  EXPECT_NEAR(loss("v_prediction"), 1, 0.03);
  EXPECT_NEAR(loss("edm"), 1, 0.03);
  EXPECT_NEAR(loss("flow_prediction"), 2, 0.06);
}

TEST(Objective, LearnsVariancesOfTwiceTheChannels) {
  ScheduleConfig schedule;
  schedule.variance_type = "learned_range";
  const auto answer = torch::zeros({6, 4, 4, 4}).requires_grad_();
  FormulaDenoiser denoiser(0, [&](const at::Tensor&, const at::Tensor&,
                                  const at::Tensor&) { return answer; });
  const Objective objective({}, schedule, toy_space());
  const auto losses = objective.losses(denoiser, toy_batch(6));
  ASSERT_EQ(losses.parts.size(), 2u);
  EXPECT_EQ(losses.parts[1].first, "variational_bits");
  EXPECT_NEAR(losses.total.item<double>(),
              losses.parts[0].second.item<double>() +
                  losses.parts[1].second.item<double>(),
              1e-5);  // T times 1e-3 is 1
  losses.parts[1].second.backward();
  const auto gradients = answer.grad().abs().amax({0, 2, 3});
  EXPECT_EQ(gradients.narrow(0, 0, 2).max().item<float>(), 0);
  EXPECT_GT(gradients.narrow(0, 2, 2).min().item<float>(), 0);
}

TEST(Objective, RefusesAnswersOfOtherChannels) {
  FormulaDenoiser same(0, [](const at::Tensor& sample, const at::Tensor&,
                             const at::Tensor&) { return sample; });
  ScheduleConfig schedule;
  schedule.variance_type = "learned_range";
  try {
    Objective({}, schedule, toy_space()).losses(same, toy_batch(2));
    FAIL() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(
        error.what(),
        "objective: latents have 2 channels and variance_type is "
        "learned_range, so the network must have out_channels 4, got 2");
  }
}

TEST(Objective, TellsNoErrorWhereThereIsNoSignal) {
  ScheduleConfig schedule;
  schedule.num_train_timesteps = 2;
  schedule.trained_betas = {0.5, 1.0};
  FormulaDenoiser zero(
      0, [](const at::Tensor& sample, const at::Tensor&, const at::Tensor&) {
        return torch::zeros_like(sample);
      });
  const Objective objective({}, schedule, toy_space());
  const auto batch = toy_batch(40);
  const auto by_level = objective.losses(zero, batch).by_level;
  EXPECT_EQ(by_level.level.size(0),
            objective.draw(batch, 0).levels.t.eq(0).sum().item<int64_t>());
  EXPECT_TRUE(by_level.loss.isfinite().all().item<bool>());
}

TEST(Objective, RefusesInfiniteWeights) {
  ScheduleConfig schedule;
  schedule.rescale_betas_zero_snr = true;
  try {
    Objective({.weighting = "edm"}, schedule, toy_space());
    FAIL() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("no finite edm weight"),
              std::string::npos);
  }
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
        "objective: weighting must be one of uniform, min_snr, edm, got snr");
  }
}

}  // namespace
}  // namespace calotype
