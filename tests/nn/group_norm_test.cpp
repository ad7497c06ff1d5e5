#include "nn/group_norm.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/nn/modules/normalization.h>
#include <torch/utils.h>

#include <cmath>
#include <utility>
#include <vector>

#include "tests/support/threads.h"

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
    GroupNorm norm(torch::nn::GroupNormOptions(c.groups, c.channels).eps(1e-6));
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
    const auto theirs = torch::silu(torch::group_norm(
        b, c.groups, norm->weight, norm->bias, norm->options.eps()));
    (theirs * seen).sum().backward();

    EXPECT_TRUE(torch::allclose(ours, theirs, 1e-5, 1e-5));
    EXPECT_TRUE(torch::allclose(a.grad(), b.grad(), 1e-4, 1e-4));
    EXPECT_TRUE(
        torch::allclose(weight_gradient, norm->weight.grad(), 1e-4, 1e-3));
    EXPECT_TRUE(torch::allclose(bias_gradient, norm->bias.grad(), 1e-4, 1e-3));
  }
}

TEST(NormSilu, SaturatesInsteadOfOverflowing) {
  GroupNorm norm(torch::nn::GroupNormOptions(1, 1));
  const torch::NoGradGuard no_grad;
  norm->weight.fill_(1000);
  const auto out =
      norm_silu(norm, torch::tensor({-1.f, 1.f}).view({1, 1, 1, 2}));
  EXPECT_EQ(out[0][0][0][0].item<float>(), 0);
  EXPECT_NEAR(out[0][0][0][1].item<float>(), 1000, 0.01);
}

TEST(NormSilu, PassesANaNOn) {
  GroupNorm norm(torch::nn::GroupNormOptions(1, 1));
  const auto out =
      norm_silu(norm, torch::tensor({std::nanf(""), 1.f}).view({1, 1, 1, 2}));
  EXPECT_TRUE(out.isnan().all().item<bool>());
}

TEST(NormSilu, TakesChannelsLastInputAndDoubles) {
  GroupNorm norm(torch::nn::GroupNormOptions(2, 4));
  const torch::NoGradGuard no_grad;
  const auto x = torch::randn({2, 4, 3, 5});
  EXPECT_TRUE(torch::allclose(
      norm_silu(norm, x.contiguous(at::MemoryFormat::ChannelsLast)),
      norm_silu(norm, x)));
  norm->to(torch::kDouble);
  EXPECT_EQ(norm_silu(norm, x.to(torch::kDouble)).scalar_type(),
            torch::kDouble);
}

/// A flat image of 1024 x 1024 pixels.
at::Tensor flat(double value) {
  return torch::full({1, 1, 1024, 1024}, value);
}

double silu_of(double u) {
  return u / (1 + std::exp(-u));
}

/// The largest difference of `got` from the one number `want`.
double worst(const at::Tensor& got, double want) {
  return (got.to(torch::kDouble) - want).abs().max().item<double>();
}

TEST(GroupNorm, OfAFlatImageIsTheBias) {
  GroupNorm norm(torch::nn::GroupNormOptions(1, 1).eps(1e-6));
  const torch::NoGradGuard no_grad;
  norm->weight.fill_(1.3);
  norm->bias.fill_(-0.7);
  for (const double value : {1.0, 0.7, -3.1, 100.3, 1e5 + 0.3}) {
    SCOPED_TRACE(value);
    EXPECT_LT(worst(norm(flat(value)), -0.7), 1e-6);
    EXPECT_LT(worst(norm_silu(norm, flat(value)), silu_of(-0.7)), 1e-6);
  }
}

// Pixels around a large mean, a checkerboard of mean +- step: normalised, they
// are +-step / sqrt(step^2 + eps).
TEST(GroupNorm, SeesASmallVarianceBesideALargeMean) {
  GroupNorm norm(torch::nn::GroupNormOptions(1, 1).eps(1e-6));
  const torch::NoGradGuard no_grad;
  for (const auto& [mean, step] :
       {std::pair{4.0, 0x1p-10}, {1000.0, 0x1p-8}, {65536.0, 0.0625}}) {
    SCOPED_TRACE(mean);
    auto x = flat(mean - step);
    x.view({-1, 2}).select(1, 1).fill_(mean + step);
    const auto out = norm(x).view({-1, 2});
    const double want = step / std::sqrt(step * step + 1e-6);
    EXPECT_LT(worst(out.select(1, 1), want), 1e-6);
    EXPECT_LT(worst(out.select(1, 0), -want), 1e-6);
  }
}

// Products of matrices round the pixels of one block in another way.
TEST(GroupNorm, MakesNothingOfRounding) {
  GroupNorm norm(torch::nn::GroupNormOptions(1, 1).eps(1e-6));
  const torch::NoGradGuard no_grad;
  norm->bias.fill_(0.25);
  for (const float value : {0.7f, -3.1f, 100.3f}) {
    auto x = flat(value);
    x.narrow(2, 0, 300).fill_(std::nextafter(value, 1000.f));
    EXPECT_LT(worst(norm(x), 0.25), 1e-6) << value;
  }
}

// One dot on a large flat image is no rounding, however small the variance.
TEST(GroupNorm, SeesOneDotOnAFlatImage) {
  GroupNorm norm(torch::nn::GroupNormOptions(1, 1).eps(1e-6));
  const torch::NoGradGuard no_grad;
  auto x = flat(1);
  x.view({-1})[12345] = 1 - 1 / 127.5;
  const auto want = torch::group_norm(x.to(torch::kDouble), 1, {}, {}, 1e-6);
  EXPECT_LT((norm(x).to(torch::kDouble) - want).abs().max().item<double>(),
            1e-5);
}

// What rounding set apart has the gradients of the flat image.
TEST(GroupNorm, GivesRoundingTheGradientsOfAFlatImage) {
  torch::manual_seed(8);
  const auto gradient = torch::randn({1, 2, 30, 40});
  const auto gradients = [&](const at::Tensor& image, c10::ScalarType type) {
    GroupNorm norm(torch::nn::GroupNormOptions(1, 2).eps(1e-6));
    norm->to(type);
    const torch::NoGradGuard no_grad;
    norm->bias.fill_(0.4);
    const torch::AutoGradMode with_grad(true);
    const auto x = image.to(type).requires_grad_(true);
    norm_silu(norm, x).backward(gradient.to(type));
    return std::vector<at::Tensor>{x.grad(), norm->weight.grad(),
                                   norm->bias.grad()};
  };
  const auto image = torch::full({1, 2, 30, 40}, 1000.f);
  auto rounded = image.clone();
  rounded.narrow(2, 3, 9).fill_(std::nextafter(1000.f, 2000.f));
  const auto got = gradients(rounded, torch::kFloat),
             want = gradients(image, torch::kDouble);
  for (size_t i = 0; i < want.size(); ++i) {
    const auto scale = want[i].abs().max().item<double>() + 1;
    EXPECT_LT((got[i].to(torch::kDouble) - want[i]).abs().max().item<double>(),
              1e-5 * scale)
        << i;
  }
}

// All numbers are alike, and so are their gradients: nothing can change.
TEST(GroupNorm, GivesAFlatImageNoGradient) {
  for (const bool silu : {false, true}) {
    GroupNorm norm(torch::nn::GroupNormOptions(1, 1).eps(1e-6));
    const auto x = flat(0.7).requires_grad_(true);
    const auto out = silu ? norm_silu(norm, x) : norm(x);
    out.backward(torch::full_like(out, 0.3));
    EXPECT_LT(worst(x.grad(), 0), 1e-5);
    EXPECT_LT(worst(norm->weight.grad() / double(x.numel()), 0), 1e-6);
    const double slope = silu ? 0.5 : 1;  // of silu at 0
    EXPECT_LT(worst(norm->bias.grad() / double(x.numel()), 0.3 * slope), 1e-6);
  }
}

// In double LibTorch's sums are good enough to judge by.
TEST(GroupNorm, ErrsLessThanAMillionthWithItsGradients) {
  torch::manual_seed(5);
  const auto input = torch::randn({2, 6, 200, 100}) + 50;
  const auto seen = torch::randn_like(input);
  for (const bool silu : {false, true}) {
    SCOPED_TRACE(silu);
    const auto run = [&](c10::ScalarType type) {
      GroupNorm norm(torch::nn::GroupNormOptions(3, 6).eps(1e-6));
      norm->to(type);
      const auto x = input.clone().to(type).requires_grad_(true);
      const auto out = silu ? norm_silu(norm, x) : norm(x);
      out.backward(seen.to(type));
      return std::vector<at::Tensor>{out.detach(), x.grad(),
                                     norm->weight.grad(), norm->bias.grad()};
    };
    const auto got = run(torch::kFloat), want = run(torch::kDouble);
    for (size_t i = 0; i < want.size(); ++i) {
      const auto scale = want[i].abs().max().item<double>();
      const auto apart = (got[i].to(torch::kDouble) - want[i]).abs();
      EXPECT_LT(apart.max().item<double>(), 1e-6 * scale) << i;
    }
  }
}

TEST(GroupNorm, GradientsHaveGradients) {
  torch::manual_seed(6);
  const auto input = torch::randn({2, 4, 3, 3});
  const auto penalty = [&](c10::ScalarType type) {
    GroupNorm norm(torch::nn::GroupNormOptions(2, 4));
    norm->to(type);
    const auto x = input.clone().to(type).requires_grad_(true);
    const auto slope = torch::autograd::grad({norm_silu(norm, x).pow(3).sum()},
                                             {x}, {}, true, true)[0];
    slope.square().sum().backward();
    return x.grad().to(torch::kDouble);
  };
  EXPECT_TRUE(torch::allclose(penalty(torch::kFloat), penalty(torch::kDouble),
                              1e-3, 1e-3));
}

TEST(GroupNorm, HasTheSameBitsOnAnyNumberOfThreads) {
  torch::manual_seed(7);
  const auto input = torch::randn({3, 8, 70, 60});
  expect_same_bits([&] {
    GroupNorm norm(torch::nn::GroupNormOptions(4, 8));
    const auto x = input.clone().requires_grad_(true);
    const auto out = norm_silu(norm, x);
    out.backward(input);
    return std::vector<at::Tensor>{out.detach(), x.grad(), norm->weight.grad(),
                                   norm->bias.grad()};
  });
}

}  // namespace
}  // namespace calotype
