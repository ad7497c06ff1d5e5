#include "nn/doubling_conv.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "tests/support/rows_alone.h"

namespace calotype {
namespace {

TEST(DoublingConv, IsTheTransposedConvolutionWithItsGradients) {
  torch::manual_seed(1);
  const auto x = torch::randn({3, 5, 6, 7}, torch::kDouble);
  const auto weight = torch::randn({5, 4, 4, 4}, torch::kDouble);
  const auto bias = torch::randn({4}, torch::kDouble);
  const auto run = [&](const auto& map) {
    std::vector<at::Tensor> leaves{x, weight, bias};
    for (auto& leaf : leaves) leaf = leaf.clone().requires_grad_(true);
    const at::Tensor out = map(leaves[0], leaves[1], leaves[2]);
    out.pow(3).sum().backward();
    return std::vector<at::Tensor>{out.detach(), leaves[0].grad(),
                                   leaves[1].grad(), leaves[2].grad()};
  };
  const auto got = run(doubling_conv);
  const auto want =
      run([](const at::Tensor& in, const at::Tensor& w, const at::Tensor& b) {
        return torch::conv_transpose2d(in, w, b, /*stride=*/2, /*padding=*/1);
      });
  for (size_t i = 0; i < want.size(); ++i)
    EXPECT_TRUE(torch::allclose(got[i], want[i], 1e-10, 1e-10)) << i;
}

TEST(DoublingConv, GivesEachImageTheSameBits) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  const auto weight = torch::randn({8, 6, 4, 4}), bias = torch::randn({6});
  expect_rows_alone(torch::randn({48, 8, 7, 7}), [&](const at::Tensor& x) {
    return doubling_conv(x, weight, bias);
  });
}

}  // namespace
}  // namespace calotype
