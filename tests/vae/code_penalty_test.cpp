#include "vae/code_penalty.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

namespace calotype {
namespace {

CalotypeAutoencoderConfig small(std::vector<int64_t> hidden,
                                const std::string& code_act_fn) {
  return {.sample_size = 4,
          .hidden = std::move(hidden),
          .latent_channels = 5,
          .act_fn = "tanh",
          .code_act_fn = code_act_fn};
}

/// |dz/dx|_F^2 averaged over the images, a row of the Jacobian at a time.
double full_norm(CalotypeAutoencoder& model, const at::Tensor& images) {
  const auto x = images.clone().requires_grad_(true);
  const auto code = model->encode(x).mean.flatten(1);
  double sum = 0;
  for (int64_t j = 0; j < code.size(1); ++j)
    sum += torch::autograd::grad({code.select(1, j).sum()}, {x}, {}, true)[0]
               .square()
               .sum()
               .item<double>();
  return sum / double(images.size(0));
}

TEST(JacobianNorm, IsExactForOneLayer) {
  const auto images = torch::rand({6, 1, 4, 4}) * 2 - 1;
  for (const auto* act : {"none", "sigmoid", "tanh", "relu"}) {
    CalotypeAutoencoder model(small({}, act));
    const auto norm = jacobian_norm(*model, images, torch::arange(6), 1, 0, 1);
    EXPECT_NEAR(norm.item<double>(), full_norm(model, images), 1e-5) << act;
  }
}

TEST(JacobianNorm, HutchinsonsEstimateIsUnbiased) {
  torch::manual_seed(2);
  CalotypeAutoencoder model(small({12}, "none"));
  const auto images = torch::rand({16, 1, 4, 4}) * 2 - 1;
  const auto estimate =
      jacobian_norm(*model, images, torch::arange(16), 1, 0, 400);
  // 16 x 400 probes of a quadratic form with 5 unequal terms: 2 % is more than
  // three standard errors.
  EXPECT_NEAR(estimate.item<double>() / full_norm(model, images), 1, 0.02);
}

TEST(JacobianNorm, HasAGradientAlsoThroughTheEstimate) {
  for (const auto& hidden : {std::vector<int64_t>{}, std::vector<int64_t>{8}}) {
    CalotypeAutoencoder model(small(hidden, "sigmoid"));
    const auto images = torch::rand({2, 1, 4, 4});
    auto weight = model->named_parameters()["encoder.0.weight"];
    const auto value = [&] {
      return jacobian_norm(*model, images, torch::arange(2), 1, 0, 2);
    };
    value().backward();
    const auto gradient = weight.grad()[0][0].item<double>();
    const double step = 1e-2;
    const torch::NoGradGuard no_grad;
    weight[0][0] += step;
    const auto up = value().item<double>();
    weight[0][0] -= 2 * step;
    const auto down = value().item<double>();
    EXPECT_NEAR(gradient, (up - down) / (2 * step),
                1e-3 + 0.02 * std::abs(gradient));
  }
}

TEST(L1Penalty, DoesNotChangeWhenCodeShrinksAndDecoderGrows) {
  const auto code = torch::randn({4, 3, 1, 1});
  const auto directions = torch::randn({3, 7});
  const auto penalty = l1_penalty(code, directions).item<double>();
  EXPECT_NEAR(l1_penalty(code / 10, directions * 10).item<double>(), penalty,
              1e-4);
  EXPECT_NEAR(l1_penalty(torch::tensor({3.f, -4.f}).view({1, 2, 1, 1}),
                         torch::tensor({{0.f, 2.f}, {3.f, 4.f}}))
                  .item<double>(),
              3 * 2 + 4 * 5, 1e-5);
  EXPECT_NEAR(l1_penalty(torch::ones({2, 3, 2, 2}), {}).item<double>(), 12,
              1e-5);
}

TEST(KlSparsityPenalty, IsTheDivergenceOfTheMeanActivation) {
  const auto at_target = torch::full({8, 3, 1, 1}, 0.05);
  EXPECT_NEAR(kl_sparsity_penalty(at_target, 0.05).item<double>(), 0, 1e-6);
  const auto busy = torch::full({8, 1, 1, 1}, 0.5);
  EXPECT_NEAR(kl_sparsity_penalty(busy, 0.05).item<double>(),
              0.05 * std::log(0.1) + 0.95 * std::log(1.9), 1e-6);
  // A unit that never fires, or always, must not make it infinite.
  EXPECT_TRUE(kl_sparsity_penalty(torch::zeros({2, 1, 1, 1}), 0.05)
                  .isfinite()
                  .item<bool>());
}

TEST(ActiveShare, CountsByWhatTheActivationLeaves) {
  const auto code = torch::tensor({0.f, 0.3f, 0.7f, 1e-4f}).view({1, 4, 1, 1});
  EXPECT_NEAR(active_share(code, "relu").item<double>(), 0.75, 1e-6);
  EXPECT_NEAR(active_share(code, "sigmoid").item<double>(), 0.25, 1e-6);
  EXPECT_NEAR(active_share(code, "none").item<double>(), 0.5, 1e-6);
}

}  // namespace
}  // namespace calotype
