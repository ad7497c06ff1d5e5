#include "nn/swiglu.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

namespace calotype {
namespace {

TEST(SwiGlu, GatesTheFirstHalfByTheSecond) {
  const auto y = swiglu(torch::tensor({5.f, -2.f, 1.f, 3.f}));
  EXPECT_EQ(y.numel(), 2);
  EXPECT_NEAR(y[0].item<double>(), 5 * 1 / (1 + std::exp(-1.)), 1e-5);
  EXPECT_NEAR(y[1].item<double>(), -2 * 3 / (1 + std::exp(-3.)), 1e-5);
}

TEST(SwiGluMlp, IsTwoMapsWithoutBiases) {
  SwiGluMlp mlp(4, 3);
  EXPECT_EQ(mlp->parameters().size(), 2u);
  EXPECT_EQ(mlp(torch::zeros({2, 4})).abs().max().item<double>(), 0);
  const auto x = torch::randn({2, 4});
  const auto parameters = mlp->named_parameters();
  const auto want = swiglu(x.matmul(parameters["in.weight"].t()))
                        .matmul(parameters["out.weight"].t());
  EXPECT_TRUE(torch::allclose(mlp(x), want, 1e-5, 1e-6));
}

}  // namespace
}  // namespace calotype
