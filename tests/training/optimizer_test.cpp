#include <gtest/gtest.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adamw.h>
#include <torch/utils.h>

#include <cmath>

#include "core/error.h"
#include "training/adamw.h"
#include "training/ema.h"
#include "training/flat_parameters.h"
#include "training/learning_rate.h"

namespace calotype {
namespace {

// LibTorch's own AdamW is the independent implementation.
TEST(AdamW, FollowsLibTorchs) {
  torch::manual_seed(2);
  auto ours = torch::randn({5});
  auto theirs = ours.clone().requires_grad_(true);
  AdamW optimizer(
      {.beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = 0.1}, ours);
  torch::optim::AdamW reference({theirs}, torch::optim::AdamWOptions(0.01)
                                              .betas({0.8, 0.95})
                                              .eps(1e-6)
                                              .weight_decay(0.1));
  for (int64_t step = 1; step <= 20; ++step) {
    const auto gradient = torch::randn({5});
    theirs.mutable_grad() = gradient.clone();
    reference.step();
    optimizer.step(ours, gradient, 0.01, step);
  }
  EXPECT_TRUE(torch::allclose(ours, theirs, 1e-5, 1e-6));
}

TEST(AdamW, LeavesMaskedValuesAndTheirMomentsAlone) {
  torch::manual_seed(3);
  const auto start = torch::randn({4}), gradient = torch::randn({4});
  auto all = start.clone(), some = start.clone();
  AdamW free({.weight_decay = 0.1}, all), masked({.weight_decay = 0.1}, some);
  free.step(all, gradient, 0.1, 1);
  const auto mask = torch::tensor({true, false, true, false});
  masked.step(some, gradient, 0.1, 1, mask);
  EXPECT_TRUE(torch::equal(some, torch::where(mask, all, start)));
  EXPECT_TRUE(torch::equal(masked.first_moment(), free.first_moment() * mask));
  EXPECT_TRUE(
      torch::equal(masked.second_moment(), free.second_moment() * mask));
}

TEST(Ema, BeginsFastAndEndsSlow) {
  auto values = torch::zeros({1});
  Ema ema(0.5, values);
  values.fill_(11);
  ema.update(values, 1);  // decay 2/11
  EXPECT_NEAR(ema.values().item<double>(), 9, 1e-5);
  ema.update(values, 1000);  // decay 0.5
  EXPECT_NEAR(ema.values().item<double>(), 10, 1e-5);
}

TEST(Ema, AveragedWeightsGiveTheOthersBack) {
  auto weights = torch::ones({3});
  {
    const AveragedWeights averaged(weights, torch::zeros({3}));
    EXPECT_EQ(weights.sum().item<double>(), 0);
  }
  EXPECT_EQ(weights.sum().item<double>(), 3);
}

TEST(LearningRate, WarmsUpAndFallsAsACosine) {
  const LearningRateConfig config{
      .peak = 2, .warmup_steps = 10, .final_share = 0.1};
  EXPECT_DOUBLE_EQ(learning_rate(config, 5, 110), 1);
  EXPECT_DOUBLE_EQ(learning_rate(config, 10, 110), 2);
  EXPECT_NEAR(learning_rate(config, 60, 110), 2 * (0.1 + 0.9 * 0.5), 1e-12);
  EXPECT_NEAR(learning_rate(config, 110, 110), 0.2, 1e-12);
}

// LibTorch's own norm of these is 0.9 % too small.
TEST(EuclideanNorm, OfManyNumbersIsExact) {
  for (const int64_t count :
       {int64_t{0}, int64_t{5}, int64_t{4097}, int64_t{1} << 24}) {
    const double want = std::sqrt(double(count)) * double(0.1f);
    EXPECT_NEAR(euclidean_norm(torch::full({count}, 0.1f)), want, 1e-6 * want);
  }
  auto bad = torch::zeros({9000});
  bad[8500] = std::nan("");
  EXPECT_TRUE(std::isnan(euclidean_norm(bad)));
}

TEST(FlatParameters, AreTheModulesOwn) {
  torch::nn::Linear net(3, 2);
  const auto weight = net->weight.detach().clone();
  FlatParameters flat(*net);
  EXPECT_TRUE(torch::equal(net->weight, weight));
  net(torch::ones({1, 3})).sum().backward();
  EXPECT_TRUE(torch::equal(flat.by_name(flat.gradients()).at("weight"),
                           torch::ones({2, 3})));
  const torch::NoGradGuard no_grad;
  flat.values().zero_();
  EXPECT_EQ(net->weight.abs().sum().item<double>(), 0);
  flat.by_name(flat.gradients()).at("bias").fill_(std::nan(""));
  EXPECT_EQ(flat.names_with_bad_gradient(), std::vector<std::string>{"bias"});
}

TEST(FlatParameters, MaskIsTrueForTheNamedAlone) {
  torch::nn::Linear net(3, 2);
  const FlatParameters flat(*net);
  const auto mask = flat.mask_of({"bias"});
  const auto parts = flat.by_name(mask);
  EXPECT_FALSE(parts.at("weight").any().item<bool>());
  EXPECT_TRUE(parts.at("bias").all().item<bool>());
  EXPECT_THROW(flat.mask_of({"head"}), ShapeError);
}

}  // namespace
}  // namespace calotype
