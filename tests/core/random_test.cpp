#include "core/random.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "core/runtime.h"

namespace calotype {
namespace {

using Words = std::array<uint32_t, 4>;
constexpr auto kNoise = Stream::kTrainingNoise;

// Random123's known answers for philox4x32 with ten rounds (its file
// kat_vectors).
TEST(Philox, GivesTheKnownAnswers) {
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox({0, 0, 0, 0}, 0),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({kOnes, kOnes, kOnes, kOnes}, ~uint64_t{0}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                   0x299f31d0a4093822),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

at::Tensor normals(const at::Tensor& samples, int64_t count) {
  return normal_rows({count}, samples, 42, kNoise, 9);
}

TEST(NormalRows, ARowIsTheSameInAnyBatch) {
  const auto samples = at::arange(50, at::kLong) * 1'000'003;
  const auto all = normals(samples, 33);
  for (const int64_t i : {0, 7, 49})
    EXPECT_TRUE(at::equal(normals(samples.slice(0, i, i + 1), 33),
                          all.slice(0, i, i + 1)));
  const auto picked = at::randperm(50, at::kLong);
  EXPECT_TRUE(at::equal(normals(samples.index_select(0, picked), 33),
                        all.index_select(0, picked)));
}

TEST(NormalRows, AreTheSameOnAnyNumberOfThreads) {
  const auto samples = at::arange(64, at::kLong);
  set_up_runtime({.num_threads = 1, .device = "cpu"});
  const auto one = normals(samples, 1000);
  set_up_runtime({.num_threads = 4, .device = "cpu"});
  const auto four = normals(samples, 1000);
  set_up_runtime({.device = "cpu"});
  EXPECT_TRUE(at::equal(one, four));
}

TEST(NormalRows, ALongerRowBeginsWithTheShorter) {
  const auto samples = at::arange(3, at::kLong);
  EXPECT_TRUE(
      at::equal(normals(samples, 100).slice(1, 0, 7), normals(samples, 7)));
}

TEST(NormalRows, HaveTheShapeOfTheSample) {
  EXPECT_EQ(normal_rows({4, 8, 6}, at::arange(2, at::kLong), 0, kNoise).sizes(),
            (at::IntArrayRef{2, 4, 8, 6}));
  EXPECT_EQ(normal_rows({4}, at::empty({0}, at::kLong), 0, kNoise).sizes(),
            (at::IntArrayRef{0, 4}));
}

// A million numbers: mean and variance within five standard errors, and
// Kolmogorov's distance from the normal distribution below 1.95 / sqrt(n),
// which chance exceeds once in a thousand.
TEST(NormalRows, AreNormal) {
  const auto draws = normals(at::arange(1000, at::kLong), 1000).reshape({-1});
  const double n = double(draws.numel());
  EXPECT_NEAR(draws.mean(at::kDouble).item<double>(), 0, 5 / std::sqrt(n));
  EXPECT_NEAR(draws.square().mean(at::kDouble).item<double>(), 1,
              5 * std::sqrt(2 / n));
  const auto below =
      (1 + at::erf(std::get<0>(draws.sort()).to(at::kDouble) / M_SQRT2)) / 2;
  const auto steps = (at::arange(draws.numel(), at::kDouble) + 0.5) / n;
  EXPECT_LT((below - steps).abs().max().item<double>(), 1.95 / std::sqrt(n));
}

// Whatever a draw is named by must change it, and not by a little.
TEST(NormalRows, EveryPartOfTheNameCounts) {
  const auto first = at::zeros({1}, at::kLong);
  const auto draw = [&](uint64_t seed, Stream stream, int64_t sample,
                        uint32_t step) {
    return normal_rows({40'000}, first + sample, seed, stream, step)
        .reshape({-1});
  };
  const auto base = draw(1, kNoise, 0, 0);
  for (const auto& other :
       {draw(2, kNoise, 0, 0), draw(1 + (uint64_t{1} << 32), kNoise, 0, 0),
        draw(1, Stream::kPosterior, 0, 0), draw(1, kNoise, 1, 0),
        draw(1, kNoise, int64_t{1} << 32, 0), draw(1, kNoise, 0, 1)})
    EXPECT_LT(std::abs((base * other).mean().item<double>()),
              5 / std::sqrt(40'000.));
}

// Box and Muller's transform of the words for (seed 1, stream kSynthetic,
// sample 2, step 3), computed with Python's math module. A release that changes
// these numbers changes every picture that a seed names.
TEST(NormalRows, KeepTheirNumbersFromReleaseToRelease) {
  const auto got =
      normal_rows({5}, at::full({1}, 2, at::kLong), 1, Stream::kSynthetic, 3);
  const auto want = at::tensor(
      {-1.32817061f, 0.53902347f, 0.45025500f, 0.79474190f, -1.19864488f});
  EXPECT_TRUE(at::allclose(got, want.unsqueeze(0), 1e-6, 1e-7)) << got;
}

TEST(NormalRows, RefuseSamplesThatAreNoList) {
  EXPECT_THAT(
      [] {
        normal_rows({2}, at::zeros({2, 2}, at::kLong), 0, kNoise);
      },
      testing::ThrowsMessage<ShapeError>(
          "normal_rows: samples must be [*], got [2, 2]"));
}

TEST(Uniform, FillsTheOpenIntervalEvenly) {
  const auto draws =
      uniform_rows({}, at::arange(100'000, at::kLong), 3, Stream::kTimestep);
  EXPECT_GT(draws.min().item<float>(), 0);
  EXPECT_LT(draws.max().item<float>(), 1);
  EXPECT_LT(draws.min().item<float>(), 1e-4);
  EXPECT_GT(draws.max().item<float>(), 1 - 1e-4);
  const auto counts = at::histc(draws, 20, 0, 1);
  EXPECT_LT((counts - 5000).abs().max().item<float>(), 5 * std::sqrt(5000.));
  EXPECT_EQ(draws[17].item<float>(),
            float(uniform({3, Stream::kTimestep, 17, 0})));
}

// This sample's draw is 1 - 2^-27, which as a float would be 1.
TEST(Uniform, NeverRoundsUpToOne) {
  const auto sample = at::full({1}, 64'456'004, at::kLong);
  EXPECT_EQ(uniform_rows({}, sample, 3, Stream::kTimestep).item<float>(),
            1 - 0x1p-24f);
}

TEST(UniformIndex, ReachesEachIndexEqually) {
  std::vector<int> counts(7);
  for (uint64_t sample = 0; sample < 70'000; ++sample)
    ++counts.at(size_t(uniform_index({3, Stream::kTimestep, sample, 0}, 7)));
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 500);
}

TEST(UniformIndex, StaysInARangeOfAnySize) {
  for (uint64_t sample = 0; sample < 1000; ++sample) {
    const Draw draw{3, Stream::kTimestep, sample, 0};
    EXPECT_EQ(uniform_index(draw, 1), 0);
    EXPECT_GE(uniform_index(draw, INT64_MAX), 0);
  }
}

TEST(UniformIndices, ReachEachIndexEquallyAndDependOnTheDrawAlone) {
  const Draw draw{3, Stream::kBootstrap, 0, 5};
  std::vector<int32_t> drawn(70'001), fewer(6);
  uniform_indices(draw, 7, int64_t(drawn.size()), drawn.data());
  std::vector<int> counts(7);
  for (const auto index : drawn) ++counts.at(size_t(index));
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 500);
  uniform_indices(draw, 7, 6, fewer.data());
  EXPECT_TRUE(std::equal(fewer.begin(), fewer.end(), drawn.begin()));
  std::vector<int32_t> others(drawn.size());
  uniform_indices({3, Stream::kBootstrap, 0, 6}, 7, int64_t(others.size()),
                  others.data());
  EXPECT_NE(others, drawn);
  uniform_indices(draw, 1, 6, fewer.data());
  EXPECT_EQ(fewer, std::vector<int32_t>(6));
}

}  // namespace
}  // namespace calotype
