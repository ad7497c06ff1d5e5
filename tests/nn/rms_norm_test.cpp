#include "nn/rms_norm.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>

namespace calotype {
namespace {

TEST(RmsNorm, DividesByTheRootMeanSquare) {
  // Mean squares 12.5 and 0; the weight doubles the second channel.
  const torch::NoGradGuard no_grad;
  RmsNorm norm(2, 0.5);
  norm->parameters()[0][1] = 2;
  const auto y = norm(torch::tensor({{3.f, -4.f}, {0.f, 0.f}}));
  EXPECT_NEAR(y[0][0].item<double>(), 3 / std::sqrt(13.), 1e-6);
  EXPECT_NEAR(y[0][1].item<double>(), -8 / std::sqrt(13.), 1e-6);
  EXPECT_EQ(y[1].abs().max().item<double>(), 0);
}

TEST(RmsNorm, IgnoresTheScaleAndKeepsTheMean) {
  const auto x = torch::randn({4, 6}) + 1;
  const auto y = rms_norm(x, 0);
  EXPECT_TRUE(torch::allclose(rms_norm(7 * x, 0), y, 1e-5, 1e-6));
  EXPECT_TRUE(torch::allclose(y.square().mean(-1), torch::ones({4})));
  EXPECT_GT(y.mean().item<double>(), 0.1);
}

TEST(RmsNorm, HasTheGradientOfItsFormula) {
  torch::manual_seed(0);
  RmsNorm norm(5, 1e-6);
  norm->to(torch::kDouble);
  auto x = torch::randn({5}, torch::kDouble).requires_grad_(true);
  const auto direction = torch::randn({5}, torch::kDouble);
  const auto value = [&](const torch::Tensor& at) {
    return (norm(at).pow(3)).sum();
  };
  value(x).backward();
  const torch::NoGradGuard no_grad;
  const double step = 1e-5;
  const auto slope =
      (value(x + step * direction) - value(x - step * direction)) / (2 * step);
  EXPECT_NEAR((x.grad() * direction).sum().item<double>(), slope.item<double>(),
              1e-6);
}

}  // namespace
}  // namespace calotype
