#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/error.h"
#include "nn/attention.h"
#include "nn/padding.h"
#include "nn/resnet_block.h"
#include "nn/sampling.h"

namespace calotype {
namespace {

TEST(Attention, IsAResidual) {
  const torch::NoGradGuard no_grad;
  Attention attention(
      AttentionConfig{.channels = 8, .head_dim = 4, .num_groups = 2});
  for (auto& item : attention->named_parameters())
    if (item.key().rfind("to_out", 0) == 0) item.value().zero_();
  const auto x = torch::randn({2, 8, 3, 5});
  EXPECT_TRUE(torch::equal(attention(x), x));
  EXPECT_THROW(
      Attention(AttentionConfig{.channels = 8, .head_dim = 3, .num_groups = 2}),
      ConfigError);
}

TEST(ResnetBlock, IsItsShortcutWhenTheLastConvolutionIsZero) {
  const torch::NoGradGuard no_grad;
  for (const auto resample :
       {Resample::kNone, Resample::kDown, Resample::kUp}) {
    ResnetBlock block(ResnetBlockConfig{.in_channels = 4,
                                        .out_channels = 4,
                                        .num_groups = 2,
                                        .embedding_dim = 3,
                                        .resample = resample});
    for (auto& item : block->named_parameters())
      if (item.key().rfind("conv2", 0) == 0) item.value().zero_();
    const auto x = torch::randn({1, 4, 6, 8});
    const auto want = resample == Resample::kNone   ? x
                      : resample == Resample::kDown ? torch::avg_pool2d(x, 2)
                                                    : nearest_resize(x, 12, 16);
    EXPECT_TRUE(torch::allclose(block(x, torch::randn({1, 3})), want));
  }
}

TEST(Downsample, HalvesAsTheVaeAndAsTheUNetDo) {
  const torch::NoGradGuard no_grad;
  const auto x = torch::randn({1, 2, 8, 7});
  EXPECT_EQ(Downsample(2, 0)(x).sizes().vec(),
            (std::vector<int64_t>{1, 2, 4, 3}));
  EXPECT_EQ(Downsample(2, 1)(x).sizes().vec(),
            (std::vector<int64_t>{1, 2, 4, 4}));
}

TEST(PadToMultiple, MirrorsOrRepeatsAndKeepsWhatFits) {
  const auto row = torch::tensor({1.f, 2.f, 3.f}).view({1, 1, 1, 3});
  const auto padded = pad_to_multiple(row.expand({1, 1, 3, 3}), 4);
  EXPECT_TRUE(
      torch::equal(padded[0][0][0], torch::tensor({1.f, 2.f, 3.f, 2.f})));
  EXPECT_EQ(padded.size(2), 4);
  const auto tiny = pad_to_multiple(torch::full({1, 1, 1, 1}, 5.f), 4);
  EXPECT_TRUE(torch::equal(tiny, torch::full({1, 1, 4, 4}, 5.f)));
  EXPECT_TRUE(pad_to_multiple(padded, 4).is_same(padded));
}

}  // namespace
}  // namespace calotype
