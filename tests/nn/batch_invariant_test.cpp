#include "nn/batch_invariant.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "nn/attention.h"
#include "tests/support/rows_alone.h"

namespace calotype {
namespace {

TEST(BatchInvariant, ConvolutionsGiveEachImageTheSameBits) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  struct Case {
    int64_t in, out, kernel, stride, groups, size;
  };
  for (const auto& c :
       {Case{1, 8, 3, 1, 1, 28}, Case{8, 8, 1, 1, 1, 8}, Case{8, 6, 3, 2, 1, 9},
        Case{64, 64, 3, 1, 1, 7}, Case{4, 32, 3, 1, 1, 5},
        Case{8, 8, 4, 2, 8, 8}, Case{3, 16, 4, 4, 1, 16}}) {
    const auto options = torch::nn::Conv2dOptions(c.in, c.out, c.kernel)
                             .stride(c.stride)
                             .padding(c.kernel / 2)
                             .groups(c.groups);
    Conv2d conv(options);
    const auto x = torch::randn({48, c.in, c.size, c.size});
    expect_rows_alone(x, [&](const at::Tensor& rows) { return conv(rows); });
    const auto want =
        at::conv2d(x.to(at::kDouble), conv->weight.to(at::kDouble),
                   conv->bias.to(at::kDouble), {c.stride, c.stride},
                   {c.kernel / 2, c.kernel / 2}, {1, 1}, c.groups);
    EXPECT_TRUE(torch::allclose(conv(x).to(at::kDouble), want, 1e-5, 1e-5));
    // What lies otherwise in memory is the same image.
    EXPECT_TRUE(torch::equal(conv(x.contiguous(at::MemoryFormat::ChannelsLast)),
                             conv(x)));
  }
}

TEST(BatchInvariant, LinearMapsGiveEachRowTheSameBits) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  struct Case {
    int64_t in, out, tokens;
    bool bias;
  };
  for (const auto& c :
       {Case{784, 512, 0, true}, Case{32, 784, 0, true}, Case{64, 64, 49, true},
        Case{64, 192, 64, false}, Case{8, 8, 1, true}, Case{1, 3, 5, true},
        Case{12, 1, 0, false}}) {
    Linear map(torch::nn::LinearOptions(c.in, c.out).bias(c.bias));
    auto x = torch::randn({48, std::max<int64_t>(c.tokens, 1), c.in});
    if (c.tokens == 0) x = x.squeeze(1);
    expect_rows_alone(x, [&](const at::Tensor& rows) { return map(rows); });
    auto want = x.to(at::kDouble).matmul(map->weight.to(at::kDouble).t());
    if (c.bias) want = want + map->bias.to(at::kDouble);
    EXPECT_EQ(map(x).sizes(), want.sizes());
    EXPECT_TRUE(torch::allclose(map(x).to(at::kDouble), want, 1e-5, 1e-5));
  }
}

// 1 to 48 rows of 7, 100 and 5000 numbers end within a vector, and the longest
// are cut for two threads.
TEST(BatchInvariant, FunctionsOfSingleNumbersGiveEachTheSameBits) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  using Function = at::Tensor (*)(const at::Tensor&);
  for (const Function f : {Function(at::silu), Function(at::sigmoid),
                           Function(at::mish), Function(at::sin)})
    for (const int64_t width : {7, 100, 5000}) {
      const auto x = torch::randn({48, width});
      expect_rows_alone(
          x, [&](const at::Tensor& rows) { return invariant_map(rows, f); });
      const auto got = invariant_map(x.t(), f);
      EXPECT_EQ(got.sizes(), x.t().sizes());
      EXPECT_TRUE(torch::allclose(got.to(at::kDouble), f(x.t().to(at::kDouble)),
                                  1e-5, 1e-6));
    }
}

TEST(BatchInvariant, GradientsAreThoseOfLibTorch) {
  torch::manual_seed(1);
  Linear map(6, 4);
  Conv2d conv(torch::nn::Conv2dOptions(2, 3, 3).padding(1));
  const auto rows = torch::randn({5, 6}), images = torch::randn({5, 2, 6, 6});
  const auto plain =
      at::linear(rows, map->weight, map->bias).square().sum() +
      at::conv2d(images, conv->weight, conv->bias, 1, 1).square().sum();
  plain.backward();
  const auto of_map = map->weight.grad().clone();
  const auto of_conv = conv->weight.grad().clone();
  map->zero_grad();
  conv->zero_grad();
  (map(rows).square().sum() + conv(images).square().sum()).backward();
  EXPECT_TRUE(torch::equal(map->weight.grad(), of_map));
  EXPECT_TRUE(torch::equal(conv->weight.grad(), of_conv));
}

TEST(BatchInvariant, AttentionGivesEachImageTheSameBits) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  // 64 heads' scores fit below the limit of a block; those of 48 images do not.
  for (const int64_t size : {4, 16}) {
    Attention attention(AttentionConfig{.channels = 16, .num_groups = 4});
    const auto x = torch::randn({48, 16, size, size});
    expect_rows_alone(x,
                      [&](const at::Tensor& rows) { return attention(rows); });
  }
}

}  // namespace
}  // namespace calotype
