#include "denoisers/calotype_dit.h"

#include <gtest/gtest.h>
#include <torch/optim/sgd.h>
#include <torch/utils.h>

#include <cmath>

#include "core/error.h"
#include "denoisers/calotype_dit_block.h"
#include "tests/diffusion/perturb.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

CalotypeDiTConfig small_dit() {
  return {.in_channels = 3,
          .out_channels = 3,
          .patch_size = 2,
          .hidden_size = 16,
          .num_layers = 2,
          .num_attention_heads = 2,
          .num_classes = 5};
}

TEST(CalotypeDiT, AnswersZeroBeforeItHasLearned) {
  const torch::NoGradGuard no_grad;
  CalotypeDiT model(small_dit());
  const auto out =
      model->forward(torch::randn({2, 3, 4, 6}), torch::tensor({3.f, 900.f}),
                     torch::tensor({0, 5}));
  EXPECT_EQ(out.sizes().vec(), (std::vector<int64_t>{2, 3, 4, 6}));
  EXPECT_EQ(out.abs().max().item<double>(), 0);
}

TEST(CalotypeDiT, MovesEveryParameterAfterTwoSteps) {
  torch::manual_seed(0);
  CalotypeDiT model(small_dit());
  torch::optim::SGD optimizer(model->parameters(), 0.5);
  const auto x = torch::randn({6, 3, 4, 4});
  double first = 0, last = 0;
  for (int step = 0; step < 3; ++step) {
    model->zero_grad();
    const auto out =
        model->forward(x, torch::tensor({1.f, 9.f, 90.f, 200.f, 400.f, 900.f}),
                       torch::tensor({0, 1, 2, 3, 4, 5}));
    const auto loss = (out - x).square().mean();
    (step == 0 ? first : last) = loss.item<double>();
    loss.backward();
    if (step < 2) optimizer.step();
  }
  EXPECT_LT(last, first);
  for (const auto& item : model->named_parameters()) {
    SCOPED_TRACE(item.key());
    ASSERT_TRUE(item.value().grad().defined());
    EXPECT_GT(item.value().grad().abs().max().item<double>(), 0);
  }
}

// One head of four channels; all maps are zero or the identity, so that the
// numbers can be followed by hand.
TEST(CalotypeDiTBlock, ComputesItsFormula) {
  const torch::NoGradGuard no_grad;
  CalotypeDiTBlock block(CalotypeDiTBlockConfig{
      .width = 4, .num_heads = 1, .mlp_hidden = 4, .norm_eps = 1e-12});
  for (auto& parameter : block->parameters()) parameter.zero_();
  auto parameters = block->named_parameters();
  // Attention: shift 0, scale 0, gate 3. MLP: shift 1, scale 1, gate 2.
  const auto bias = parameters["modulation.bias"].view({6, 4});
  bias[2].fill_(3);
  bias[3].fill_(1);
  bias[4].fill_(1);
  bias[5].fill_(2);
  // Queries and keys are 0, so that attention gives the mean of the values,
  // which are twice the normed tokens.
  const auto identity = torch::eye(4);
  parameters["attention.qkv.weight"].narrow(0, 8, 4).copy_(2 * identity);
  parameters["attention.out.weight"].copy_(identity);
  parameters["mlp.in.weight"].copy_(torch::cat({identity, identity}));
  parameters["mlp.out.weight"].copy_(identity);

  // Three tokens 5, 5 and -4 have the norms 1, 1 and -1, the mean 1/3:
  // attention adds 3 * 2/3 = 2. The MLP sees the norms of 7, 7 and -2, again 1,
  // 1 and -1, as 2 + 1 = 3 and -2 + 1 = -1, and adds twice 3 silu(3) or
  // -1 silu(-1).
  const auto x =
      torch::tensor({5.f, 5.f, -4.f}).view({1, 3, 1}).expand({1, 3, 4});
  const auto places = grid_rotary(4, 1, 3, 100, torch::kFloat);
  const auto y = block(x, torch::zeros({1, 4}), places);
  const double high = 7 + 2 * 3 * 3 / (1 + std::exp(-3.));
  const double low = -2 + 2 * 1 / (1 + std::exp(1.));
  EXPECT_NEAR(y[0][1][0].item<double>(), high, 1e-4);
  EXPECT_NEAR(y[0][2][3].item<double>(), low, 1e-4);
}

// The same four cells in a corner of a grid and in its middle.
TEST(CalotypeDiTBlock, DoesNotSeeWhereAllCellsLie) {
  const torch::NoGradGuard no_grad;
  CalotypeDiTBlock block(
      CalotypeDiTBlockConfig{.width = 16, .num_heads = 2, .mlp_hidden = 8});
  perturb(*block);
  const auto all = grid_rotary(8, 3, 3, 100, torch::kFloat);
  const auto places = [&](std::vector<int64_t> cells) {
    const auto rows = torch::tensor(cells);
    return RotaryTable{all.cos.index_select(0, rows),
                       all.sin.index_select(0, rows)};
  };
  const auto x = torch::randn({1, 4, 16}), condition = torch::randn({1, 16});
  const auto corner = block(x, condition, places({0, 1, 3, 4}));
  EXPECT_TRUE(torch::allclose(block(x, condition, places({4, 5, 7, 8})), corner,
                              1e-4, 1e-5));
  EXPECT_FALSE(torch::allclose(block(x, condition, places({0, 2, 6, 8})),
                               corner, 1e-3, 1e-4));
}

TEST(CalotypeDiT, SeesWhereCellsLieToEachOther) {
  const torch::NoGradGuard no_grad;
  CalotypeDiT model(small_dit());
  perturb(*model);
  const auto t = torch::tensor({7.f});
  const auto label = torch::tensor({1});
  const auto x = torch::randn({1, 3, 4, 4});
  const auto out = model->forward(x, t, label);
  // Rolling all patches round by one changes what is beside what at the seam.
  const auto rolled = model->forward(x.roll({2}, {3}), t, label);
  EXPECT_FALSE(torch::allclose(rolled, out.roll({2}, {3}), 1e-3, 1e-4));
  // A picture and its transpose differ: rows are not columns.
  const auto turned = model->forward(x.transpose(2, 3).contiguous(), t, label);
  EXPECT_FALSE(torch::allclose(turned, out.transpose(2, 3), 1e-3, 1e-4));
}

TEST(CalotypeDiT, KeepsItsNumbersThroughSaveAndLoad) {
  const torch::NoGradGuard no_grad;
  TempFolder folder;
  auto config = small_dit();
  config.out_channels = 6;
  config.num_classes = 0;
  CalotypeDiT model(config);
  perturb(*model);
  save_model_folder(folder.path(), CalotypeDiTImpl::kClassName,
                    write_config(model->config()), weights_of(*model));
  auto loaded = load_model<CalotypeDiT, CalotypeDiTConfig>(
      open_model_folder(folder.path()));
  const auto x = torch::randn({1, 3, 8, 2});
  const auto t = torch::tensor({1.f});
  const auto out = model->forward(x, t, {});
  EXPECT_EQ(out.size(1), 6);
  EXPECT_GT(out.abs().max().item<double>(), 0);
  EXPECT_TRUE(torch::equal(loaded->forward(x, t, {}), out));
}

TEST(CalotypeDiT, RefusesWhatCannotBe) {
  auto config = small_dit();
  config.num_attention_heads = 3;
  try {
    config.validate();
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(),
                 "CalotypeDiT: hidden_size must be a multiple of 4 * "
                 "num_attention_heads, got 16 with 3 heads");
  }
  CalotypeDiT model(small_dit());
  const auto t = torch::tensor({1.f});
  EXPECT_THROW(
      model->forward(torch::zeros({1, 3, 5, 4}), t, torch::tensor({0})),
      ConfigError);
  EXPECT_THROW(model->forward(torch::zeros({1, 3, 4, 4}), t, {}), ShapeError);
}

}  // namespace
}  // namespace calotype
