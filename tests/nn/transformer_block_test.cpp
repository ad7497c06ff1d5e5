#include "nn/transformer_block.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>

#include "core/error.h"

namespace calotype {
namespace {

TEST(TransformerBlock, DoesNotKnowTheOrderOfItsTokens) {
  const torch::NoGradGuard no_grad;
  TransformerBlock block(TransformerBlockConfig{.width = 8, .num_heads = 2});
  const auto x = torch::randn({2, 5, 8});
  const auto order = torch::tensor({3, 0, 4, 1, 2});
  EXPECT_TRUE(torch::allclose(block(x.index_select(1, order)),
                              block(x).index_select(1, order), 1e-4, 1e-5));
}

TEST(TransformerBlock, MixesTokensAndKeepsImagesApart) {
  TransformerBlock block(TransformerBlockConfig{.width = 8, .num_heads = 2});
  auto x = torch::randn({2, 5, 8}).requires_grad_(true);
  block(x)[0][0].sum().backward();
  EXPECT_GT(x.grad()[0][4].abs().max().item<double>(), 0);
  EXPECT_EQ(x.grad()[1].abs().max().item<double>(), 0);
}

TEST(TransformerBlock, IsTheIdentityWhereItsOutputsAreZero) {
  const torch::NoGradGuard no_grad;
  TransformerBlock block(TransformerBlockConfig{.width = 8, .num_heads = 2});
  auto parameters = block->named_parameters();
  EXPECT_EQ(parameters.size(), 12);
  for (const auto* name :
       {"attn.proj.weight", "attn.proj.bias", "mlp.fc2.weight", "mlp.fc2.bias"})
    parameters[name].zero_();
  const auto x = torch::randn({1, 3, 8});
  EXPECT_TRUE(torch::equal(block(x), x));
}

TEST(TransformerBlock, RefusesHeadsThatDoNotFit) {
  EXPECT_THROW(
      TransformerBlock(TransformerBlockConfig{.width = 8, .num_heads = 3}),
      ConfigError);
}

TEST(GridPositions, AreSinesOfColumnAndRow) {
  const auto positions = grid_positions(8, 2, 3);
  EXPECT_EQ(positions.sizes(), (at::IntArrayRef{6, 8}));
  // Row 1, column 2: frequencies 1 and 1/100.
  const auto want =
      torch::tensor({std::sin(2.), std::sin(.02), std::cos(2.), std::cos(.02),
                     std::sin(1.), std::sin(.01), std::cos(1.), std::cos(.01)},
                    torch::kFloat);
  EXPECT_TRUE(torch::allclose(positions[5], want, 1e-5, 1e-6));
  EXPECT_THROW(grid_positions(6, 2, 2), ConfigError);
}

}  // namespace
}  // namespace calotype
