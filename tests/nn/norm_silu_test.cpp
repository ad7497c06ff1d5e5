#include "nn/norm_silu.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace calotype {
namespace {

struct Case {
  int64_t samples, channels, height, width, groups;
};

// LibTorch's group_norm and silu are the independent implementation.
TEST(NormSilu, IsLibTorchsTwoOperationsWithTheirGradients) {
  torch::manual_seed(4);
  for (const auto& c : {Case{2, 8, 5, 7, 4}, Case{1, 6, 1, 1, 3},
                        Case{3, 16, 28, 28, 8}, Case{2, 4, 3, 3, 1}}) {
    torch::nn::GroupNorm norm(
        torch::nn::GroupNormOptions(c.groups, c.channels).eps(1e-6));
    {
      const torch::NoGradGuard no_grad;
      norm->weight.normal_();
      norm->bias.normal_();
    }
    const auto input =
        torch::randn({c.samples, c.channels, c.height, c.width}) * 3 + 1;
    const auto seen = torch::randn_like(input);
    auto a = input.clone().requires_grad_(true),
         b = input.clone().requires_grad_(true);

    const auto ours = norm_silu(norm, a);
    (ours * seen).sum().backward();
    const auto weight_gradient = norm->weight.grad().clone(),
               bias_gradient = norm->bias.grad().clone();
    norm->zero_grad();
    const auto theirs = torch::silu(norm->forward(b));
    (theirs * seen).sum().backward();

    EXPECT_TRUE(torch::allclose(ours, theirs, 1e-5, 1e-5));
    EXPECT_TRUE(torch::allclose(a.grad(), b.grad(), 1e-4, 1e-4));
    EXPECT_TRUE(
        torch::allclose(weight_gradient, norm->weight.grad(), 1e-4, 1e-3));
    EXPECT_TRUE(torch::allclose(bias_gradient, norm->bias.grad(), 1e-4, 1e-3));
  }
}

TEST(NormSilu, SaturatesInsteadOfOverflowing) {
  torch::nn::GroupNorm norm(torch::nn::GroupNormOptions(1, 1));
  const torch::NoGradGuard no_grad;
  norm->weight.fill_(1000);
  const auto out =
      norm_silu(norm, torch::tensor({-1.f, 1.f}).view({1, 1, 1, 2}));
  EXPECT_EQ(out[0][0][0][0].item<float>(), 0);
  EXPECT_NEAR(out[0][0][0][1].item<float>(), 1000, 0.01);
}

TEST(NormSilu, PassesANaNOn) {
  torch::nn::GroupNorm norm(torch::nn::GroupNormOptions(1, 1));
  const auto out =
      norm_silu(norm, torch::tensor({std::nanf(""), 1.f}).view({1, 1, 1, 2}));
  EXPECT_TRUE(out.isnan().all().item<bool>());
}

TEST(NormSilu, TakesChannelsLastInputAndDoubles) {
  torch::nn::GroupNorm norm(torch::nn::GroupNormOptions(2, 4));
  const torch::NoGradGuard no_grad;
  const auto x = torch::randn({2, 4, 3, 5});
  EXPECT_TRUE(torch::allclose(
      norm_silu(norm, x.contiguous(at::MemoryFormat::ChannelsLast)),
      norm_silu(norm, x)));
  norm->to(torch::kDouble);
  EXPECT_EQ(norm_silu(norm, x.to(torch::kDouble)).scalar_type(),
            torch::kDouble);
}

}  // namespace
}  // namespace calotype
