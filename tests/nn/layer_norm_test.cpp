#include "nn/layer_norm.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/normalization.h>
#include <torch/utils.h>

namespace calotype {
namespace {

TEST(LayerNorm, IsLibTorchsWithItsGradients) {
  torch::manual_seed(1);
  const auto input = torch::randn({2, 5, 24}, torch::kDouble);
  const auto seen = torch::randn_like(input);
  LayerNorm norm(torch::nn::LayerNormOptions({24}).eps(1e-6));
  norm->to(torch::kDouble);
  const auto a = input.clone().requires_grad_(true),
             b = input.clone().requires_grad_(true);
  const auto ours = norm(a);
  const auto theirs =
      torch::layer_norm(b, {24}, norm->weight, norm->bias, 1e-6);
  ours.backward(seen);
  theirs.backward(seen);
  EXPECT_TRUE(torch::allclose(ours, theirs, 1e-10, 1e-12));
  EXPECT_TRUE(torch::allclose(a.grad(), b.grad(), 1e-10, 1e-12));
}

TEST(LayerNorm, OfARowOfEqualsIsTheBias) {
  for (const double value : {0.7, 3.1, 1000.3}) {
    const auto out = layer_norm(torch::full({1, 3, 1152}, value), {},
                                torch::full({1152}, 0.25), 1e-6);
    EXPECT_EQ((out - 0.25).abs().max().item<double>(), 0) << value;
  }
}

TEST(LayerNorm, TakesOneColumn) {
  LayerNorm norm(torch::nn::LayerNormOptions({1}));
  EXPECT_EQ(norm(torch::tensor({{4.f}})).item<double>(), 0);
}

}  // namespace
}  // namespace calotype
