#include "nn/onednn_check.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "nn/batch_invariant.h"

namespace calotype {
namespace {

double error(const at::Tensor& got, const at::Tensor& want) {
  return ((got.to(at::kDouble) - want).abs().max() / want.abs().max())
      .item<double>();
}

// Without the check this fails where oneDNN is wrong: 3.7.2 as Debian 13 has
// it.
TEST(OneDnnCheck, ConvolutionsAndTheirGradientsAreThoseOfDouble) {
  use_onednn();
  torch::manual_seed(1);
  for (const int64_t channels : {3, 8, 24, 64})
    for (const int64_t edge : {5, 16, 28}) {
      const auto x = torch::randn({4, channels, edge, edge});
      const auto weight = torch::randn({channels, channels, 3, 3});
      const auto along = torch::randn({4, channels, edge, edge});
      const auto gradient = [&](at::ScalarType type) {
        const auto a = x.to(type).requires_grad_(true);
        return torch::autograd::grad({at::conv2d(a, weight.to(type), {}, 1, 1)},
                                     {a}, {along.to(type)})[0];
      };
      EXPECT_LT(error(gradient(at::kFloat), gradient(at::kDouble)), 1e-5)
          << channels << " channels, " << edge;
    }
}

// The first question may come from within inference, where nothing is recorded.
TEST(OneDnnCheck, IsAskedInInferenceToo) {
  const torch::InferenceMode inference;
  torch::manual_seed(1);
  const auto x = torch::randn({5, 300}), weight = torch::randn({400, 300});
  EXPECT_LT(error(invariant_linear(x, weight, {}),
                  x.to(at::kDouble).matmul(weight.to(at::kDouble).t())),
            1e-5);
}

}  // namespace
}  // namespace calotype
