#include "nn/precision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "nn/encoder_decoder.h"
#include "nn/group_norm.h"
#include "nn/sliced.h"
#include "tests/support/message_of.h"
#include "tests/support/rows_alone.h"
#include "tests/support/threads.h"

namespace calotype {
namespace {

constexpr auto kPixelsTogether = at::MemoryFormat::ChannelsLast;

/// |a - b| / |b|.
double relative_error(const at::Tensor& a, const at::Tensor& b) {
  const auto want = b.to(at::kDouble);
  return ((a.to(at::kDouble) - want).norm() / want.norm()).item<double>();
}

/// As bf16 keeps them.
at::Tensor rounded(const at::Tensor& x) {
  return x.to(at::kBFloat16).to(at::kDouble);
}

Encoder small_encoder() {
  torch::manual_seed(3);
  return Encoder(ConvCoderConfig{
      .image_channels = 3,
      .latent_channels = 8,
      .block_channels = {32, 64},
      .block_types = {"DownEncoderBlock2D", "AttnDownEncoderBlock2D"}});
}

TEST(Precision, IsKnownByItsName) {
  EXPECT_EQ(resolve_precision("fp32", at::kCPU), Precision::kFp32);
  EXPECT_EQ(resolve_precision("bf16", at::kCPU), Precision::kBf16);
  EXPECT_EQ(resolve_precision("bf16", at::Device("cuda")), Precision::kBf16);
  EXPECT_EQ(precision_name(Precision::kBf16), "bf16");
  EXPECT_EQ(message_of<ConfigError>([] { resolve_precision("fp8", at::kCPU); }),
            "precision: precision must be one of fp32, bf16, auto, got fp8");
}

// Products of rounded operands are exact in float, so that all the error of the
// sum is that of rounding it, 2^-9, and of adding up in float.
TEST(Precision, RoundsOperandsAndResultsOfConvolutions) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  Conv2d conv(torch::nn::Conv2dOptions(32, 16, 3).padding(1));
  const auto x = torch::randn({2, 32, 9, 9});
  const auto want =
      at::conv2d(rounded(x), rounded(conv->weight), rounded(conv->bias), 1, 1);
  const auto native = [] {
    const PrecisionScope bf16(Precision::kBf16);
    return !compute_on(at::kCPU, /*with_gradients=*/false).is_rounded;
  }();
  for (const bool is_rounded : {false, true}) {
    if (!is_rounded && !native) continue;  // this processor cannot
    const ComputeScope scope({.precision = Precision::kBf16,
                              .is_rounded = is_rounded,
                              .layout = kPixelsTogether});
    const auto got = conv(x);
    EXPECT_EQ(got.scalar_type(), is_rounded ? at::kFloat : at::kBFloat16);
    EXPECT_TRUE(torch::allclose(got.to(at::kDouble), want, 0x1p-8, 1e-4));
    EXPECT_LT(relative_error(got, want), 0x1p-9);
  }
  EXPECT_LT(
      relative_error(conv(x),
                     at::conv2d(x.to(at::kDouble), conv->weight.to(at::kDouble),
                                conv->bias.to(at::kDouble), 1, 1)),
      1e-6);
}

TEST(Precision, TakesWeightsAsTheyAre) {
  const torch::NoGradGuard no_grad;
  Linear map(torch::nn::LinearOptions(4, 1).bias(false));
  const ComputeScope scope({.precision = Precision::kBf16, .is_rounded = true});
  const auto x = torch::ones({1, 4});
  const auto answer = [&] { return map(x).item<float>(); };
  map->weight.fill_(1);
  EXPECT_EQ(answer(), 4);
  map->weight.fill_(2);
  EXPECT_EQ(answer(), 8);
  // As a trainer has them: views of one tensor, which is changed under them.
  auto flat = torch::full({16}, 3.f);
  map->weight.set_data(flat.narrow(0, 8, 4).view({1, 4}));
  EXPECT_EQ(answer(), 12);
  flat.fill_(5);
  EXPECT_EQ(answer(), 20);
  const torch::InferenceMode inference;
  EXPECT_EQ(answer(), 20);
  map->weight.set_data(flat.narrow(0, 0, 4).view({1, 4}) + 1);
  EXPECT_EQ(answer(), 24);
}

TEST(Precision, OfANetworkIsThatOfItsScope) {
  const torch::NoGradGuard no_grad;
  auto encoder = small_encoder();
  const auto x = torch::randn({4, 3, 16, 16});
  const auto exact = encoder(x);
  const PrecisionScope bf16(Precision::kBf16);
  const auto got = encoder(x);
  EXPECT_EQ(got.scalar_type(), at::kFloat);
  EXPECT_TRUE(got.is_contiguous());
  const auto error = relative_error(got, exact);
  EXPECT_LT(error, 0.02);
  EXPECT_GT(error, 1e-4);  // that it was in bf16 at all
  const PrecisionScope fp32(Precision::kFp32);
  EXPECT_TRUE(torch::equal(encoder(x), exact));
}

TEST(Precision, LeavesEachImageItsBitsInAnyBatchAndOnAnyThreads) {
  const torch::NoGradGuard no_grad;
  auto encoder = small_encoder();
  const auto x = torch::randn({48, 3, 16, 16});
  for (const auto precision : {Precision::kFp32, Precision::kBf16}) {
    const PrecisionScope scope(precision);
    expect_rows_alone(x, [&](const at::Tensor& rows) { return encoder(rows); });
    const auto one = [&] {
      const ThreadsFor threads(1);
      return encoder(x);
    }();
    for (const int num_threads : {2, 3}) {
      const ThreadsFor threads(num_threads);
      EXPECT_TRUE(torch::equal(encoder(x), one)) << num_threads;
    }
  }
}

TEST(Precision, TrainsInBf16WithGradientsInFloat) {
  auto encoder = small_encoder();
  const auto x = torch::randn({8, 3, 16, 16});
  const auto gradients = [&](Precision precision) {
    const PrecisionScope scope(precision);
    const SliceScope slices(2);
    encoder->zero_grad();
    encoder(x).square().mean().backward();
    std::vector<at::Tensor> all;
    for (const auto& parameter : encoder->parameters()) {
      EXPECT_EQ(parameter.grad().scalar_type(), at::kFloat);
      all.push_back(parameter.grad().flatten().clone());
    }
    return torch::cat(all);
  };
  const auto exact = gradients(Precision::kFp32);
  const auto got = gradients(Precision::kBf16);
  EXPECT_LT(relative_error(got, exact), 0.05);
  for (const int num_threads : {1, 2, 3}) {
    const ThreadsFor threads(num_threads);
    EXPECT_TRUE(torch::equal(gradients(Precision::kBf16), got)) << num_threads;
  }
}

TEST(RoundedWeights, AreRoundedOnceForAllThatAsk) {
  const auto weight = torch::tensor({1.001f, -3.f}).requires_grad_();
  const auto fixed = torch::tensor({1.001f});
  const ComputeWeight first, second;
  const ComputeScope bf16({.precision = Precision::kBf16});
  RoundedWeights shared;
  EXPECT_FALSE(shared.leaf_of(weight).defined());
  {
    const RoundedWeightsScope in_common(&shared);
    const auto leaf = first.of(weight);
    EXPECT_TRUE(leaf.is_same(second.of(weight)));
    EXPECT_TRUE(leaf.is_same(shared.leaf_of(weight)));
    EXPECT_TRUE(leaf.is_leaf() && leaf.requires_grad());
    EXPECT_TRUE(torch::equal(leaf, weight.to(at::kBFloat16)));
    first.of(fixed);
  }
  EXPECT_FALSE(shared.leaf_of(fixed).defined());  // takes no gradients
  EXPECT_FALSE(first.of(weight).is_leaf());       // as without it
}

// 3.4e38 is a float, and the nearest bf16 is infinite.
TEST(Precision, ComputesRowsAgainThatBf16CannotHold) {
  const torch::NoGradGuard no_grad;
  Conv2d conv(torch::nn::Conv2dOptions(1, 1, 1).bias(false));
  conv->weight.fill_(0.5);
  auto x = torch::ones({5, 1, 2, 2});
  x[3].fill_(3.4e38f);
  const PrecisionScope bf16(Precision::kBf16);
  const auto half = in_slices(
      *conv, {x}, [&](const auto& inputs) { return conv(inputs[0]); });
  EXPECT_TRUE(torch::equal(half, x / 2));
  EXPECT_THAT(take_rows_computed_again(), ::testing::ElementsAre(3));
  EXPECT_THAT(take_rows_computed_again(), ::testing::IsEmpty());
}

TEST(Precision, NormalisesGroupsOfPixelsThatLieTogether) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(2);
  struct NormCase {
    int64_t samples, channels, height, width, groups;
  };
  for (const auto& c : {NormCase{2, 8, 5, 7, 4}, NormCase{1, 64, 60, 50, 32},
                        NormCase{3, 6, 3, 3, 1}, NormCase{2, 96, 2, 2, 32}}) {
    GroupNorm norm(torch::nn::GroupNormOptions(c.groups, c.channels).eps(1e-6));
    norm->weight.normal_();
    norm->bias.normal_();
    const auto x =
        torch::randn({c.samples, c.channels, c.height, c.width}) * 3 + 100;
    const auto want = [&](const at::Tensor& numbers) {
      return at::silu(at::group_norm(
          numbers.to(at::kDouble), c.groups, norm->weight.to(at::kDouble),
          norm->bias.to(at::kDouble), norm->options.eps()));
    };
    const auto together = x.contiguous(kPixelsTogether);
    const auto got = norm_silu(norm, together);
    EXPECT_TRUE(got.is_contiguous(kPixelsTogether));
    EXPECT_LT(relative_error(got, want(x)), 1e-6);
    for (const int num_threads : {1, 2, 3}) {
      const ThreadsFor threads(num_threads);
      EXPECT_TRUE(torch::equal(norm_silu(norm, together), got)) << num_threads;
    }
    const auto few = norm_silu(norm, together.to(at::kBFloat16));
    EXPECT_EQ(few.scalar_type(), at::kBFloat16);
    EXPECT_LT(relative_error(few, want(rounded(x))), 0x1p-9);
  }
}

TEST(Precision, LeavesAFlatGroupAtItsBias) {
  const torch::NoGradGuard no_grad;
  GroupNorm norm(torch::nn::GroupNormOptions(2, 4).eps(1e-6));
  norm->bias.fill_(0.25);
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const auto x = torch::full({1, 4, 300, 300}, 1000.1f)
                       .contiguous(kPixelsTogether)
                       .to(type);
    EXPECT_TRUE(norm(x).eq(0.25).all().item<bool>());
  }
}

TEST(Precision, GroupNormInBf16HasItsGradients) {
  torch::manual_seed(5);
  for (const bool silu : {false, true}) {
    GroupNorm norm(torch::nn::GroupNormOptions(4, 16).eps(1e-6));
    {
      const torch::NoGradGuard no_grad;
      norm->weight.normal_();
      norm->bias.normal_();
    }
    const auto numbers = torch::randn({3, 16, 40, 40}) + 1;
    const auto along = torch::randn({3, 16, 40, 40});
    auto x = numbers.to(at::kBFloat16).contiguous(kPixelsTogether);
    x.requires_grad_(true);
    const auto y = silu ? norm_silu(norm, x) : norm(x);
    const auto got = torch::autograd::grad({y}, {x, norm->weight, norm->bias},
                                           {along.to(at::kBFloat16)});
    auto wide = rounded(numbers).requires_grad_(true);
    auto w = norm->weight.detach().to(at::kDouble).requires_grad_(true);
    auto b = norm->bias.detach().to(at::kDouble).requires_grad_(true);
    auto z = at::group_norm(wide, 4, w, b, 1e-6);
    if (silu) z = at::silu(z);
    const auto want =
        torch::autograd::grad({z}, {wide, w, b}, {rounded(along)});
    EXPECT_LT(relative_error(got[0], want[0]), 0x1p-8);
    EXPECT_LT(relative_error(got[1], want[1]), 1e-5);
    EXPECT_LT(relative_error(got[2], want[2]), 1e-5);
  }
}

}  // namespace
}  // namespace calotype
