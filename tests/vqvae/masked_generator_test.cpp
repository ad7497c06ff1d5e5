#include "vqvae/masked_generator.h"

#include <gtest/gtest.h>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include "core/error.h"

namespace calotype {
namespace {

MaskedGenerator small(int64_t num_levels = 1) {
  torch::manual_seed(1);
  return MaskedGenerator(MaskedGeneratorConfig{.num_codes = 8,
                                               .num_levels = num_levels,
                                               .grid_height = 3,
                                               .grid_width = 4,
                                               .num_classes = 2,
                                               .width = 32,
                                               .num_layers = 2,
                                               .num_attention_heads = 2});
}

TokenRequest request(int64_t first, int64_t count) {
  const auto samples = torch::arange(first, first + count);
  return {.samples = samples,
          .labels = samples.remainder(2),
          .seed = 5,
          .num_steps = 6,
          .guidance = 2};
}

TEST(DrawTokens, DoesNotDependOnTheRestOfTheBatch) {
  auto model = small();
  const auto all = draw_tokens(*model, request(0, 6));
  EXPECT_EQ(all.sizes(), (std::vector<int64_t>{6, 1, 3, 4}));
  EXPECT_TRUE(torch::equal(draw_tokens(*model, request(4, 1))[0], all[4]));
}

TEST(DrawTokens, LeavesNothingHiddenAndRevealsOnlyOnce) {
  auto model = small();
  for (const int64_t steps : {1, 2, 5, 40}) {
    auto r = request(0, 4);
    r.num_steps = steps;
    const auto tokens = draw_tokens(*model, r);
    EXPECT_LT(tokens.max().item<int64_t>(), 8) << steps;
    EXPECT_GE(tokens.min().item<int64_t>(), 0) << steps;
  }
}

TEST(DrawTokens, TellsWhatEachStepWouldEndWith) {
  auto model = small();
  auto r = request(0, 2);
  std::vector<at::Tensor> guesses;
  r.on_step = [&](int64_t steps_done, const at::Tensor& guess) {
    EXPECT_EQ(guess.sizes(), (std::vector<int64_t>{2, 12}));
    EXPECT_LT(guess.max().item<int64_t>(), 8);  // none is hidden
    guesses.push_back(guess);
    EXPECT_EQ(steps_done, std::ssize(guesses));
  };
  const auto tokens = draw_tokens(*model, r);
  EXPECT_EQ(guesses.size(), 6U);
  EXPECT_TRUE(torch::equal(guesses.back(), tokens.flatten(1)));
  EXPECT_FALSE(torch::equal(guesses.front(), tokens.flatten(1)));
}

TEST(DrawTokens, RefusesLabelsThatAreNotThere) {
  auto model = small();
  auto r = request(0, 1);
  r.labels = torch::tensor({2});
  EXPECT_THROW(draw_tokens(*model, r), ConfigError);
}

TEST(MaskedTokenTraining, JudgesTheHiddenTokensAlone) {
  auto model = small();
  MaskedTokenTraining training(model.ptr(), {});
  model->eval();
  const torch::NoGradGuard no_grad;
  const Batch batch{.data = torch::randint(0, 8, {4, 1, 3, 4}),
                    .labels = torch::tensor({0, 1, -1, 0}),
                    .samples = torch::arange(4),
                    .seed = 1};
  const auto loss = training.losses(batch).total.item<double>();
  EXPECT_NEAR(loss, std::log(8.0), 0.5);  // it knows nothing yet
  EXPECT_EQ(training.losses(batch).total.item<double>(), loss);
}

// Every class has one grid: the generator must learn them by heart, and
// guidance must draw the class that was asked for.
class LevelsOfTokens : public testing::TestWithParam<int64_t> {};

TEST_P(LevelsOfTokens, AreDrawnAsTheyWereSeen) {
  auto model = small(GetParam());
  MaskedTokenTraining training(model.ptr(), {.label_smoothing = 0});
  const auto grids = torch::randint(0, 8, {2, GetParam(), 3, 4});
  const auto labels = torch::arange(16).remainder(2);
  torch::optim::Adam optimizer(model->parameters(), 5e-3);
  for (int64_t step = 0; step < 250; ++step) {
    optimizer.zero_grad();
    training
        .losses({.data = grids.index_select(0, labels),
                 .labels = labels,
                 .samples = torch::arange(16),
                 .seed = 1,
                 .step = step})
        .total.backward();
    optimizer.step();
  }
  model->eval();
  const auto drawn = draw_tokens(*model, request(0, 10));
  const auto want = grids.index_select(0, torch::arange(10).remainder(2));
  EXPECT_GT(drawn.eq(want).to(torch::kFloat).mean().item<double>(), 0.95);
}

INSTANTIATE_TEST_SUITE_P(Counts, LevelsOfTokens, testing::Values(1, 3));

TEST(MaskedGenerator, KnowsACodeOfOneLevelFromThatOfAnother) {
  auto model = small(2);
  model->eval();
  const torch::NoGradGuard no_grad;
  // Without positions, and with the same answers, only the level tells two
  // tokens apart.
  auto parameters = model->named_parameters();
  parameters["positions"].zero_();
  for (const char* name : {"head.weight", "head.bias"})
    parameters[name].narrow(0, 8, 8).copy_(parameters[name].narrow(0, 0, 8));
  const auto logits = [&] {
    return model->forward(torch::full({1, 24}, 5, torch::kLong),
                          torch::tensor({-1}))[0];
  };
  EXPECT_TRUE(torch::allclose(logits()[0], logits()[11], 1e-4, 1e-6));
  EXPECT_FALSE(torch::allclose(logits()[0], logits()[12], 1e-4, 1e-6));
  auto codes = parameters["token_embed.weight"];
  codes[8 + 5].copy_(codes[5]);
  EXPECT_TRUE(torch::allclose(logits()[0], logits()[12], 1e-4, 1e-6));
}

}  // namespace
}  // namespace calotype
