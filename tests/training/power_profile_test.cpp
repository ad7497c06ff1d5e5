#include "training/power_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>

#include "core/error.h"
#include "training/ema.h"

namespace calotype {
namespace {

// The roots were found with 40 decimal digits from the variance of a
// Beta(gamma + 1, 1) variable, whose density the profile is.
TEST(PowerProfile, LengthsAndExponentsBelongTogether) {
  EXPECT_NEAR(power_exponent(0.05), 16.97219860230345, 1e-10);
  EXPECT_NEAR(power_exponent(0.10), 6.937203937601807, 1e-10);
  EXPECT_NEAR(power_exponent(0.25), 0.719823958000710, 1e-10);
  EXPECT_DOUBLE_EQ(power_length(0), 1 / std::sqrt(12.0));  // of a plain mean
  for (const double length : {kShortestAverage, 0.1, kLongestAverage})
    EXPECT_NEAR(power_length(power_exponent(length)), length, 1e-12);
}

TEST(PowerProfile, RefusesLengthsThatAreNone) {
  EXPECT_THROW(power_exponent(0.001), ConfigError);
  EXPECT_THROW(power_exponent(0.3), ConfigError);
  EXPECT_THROW(power_exponent(std::nan("")), ConfigError);
}

TEST(PowerProfile, TheFirstStepForgetsWhatWasBefore) {
  EXPECT_EQ(power_share(3, 1), 1);
  EXPECT_NEAR(power_share(0, 4), 0.25, 1e-15);        // the mean of 4
  EXPECT_NEAR(power_share(1, 4), 1 - 0.5625, 1e-15);  // 1 - (3/4)^2
  EXPECT_NEAR(power_share(1, 1'000'000'000), 2e-9, 1e-17);
}

// Step i holds the profile's integral from (i - 1) / t to i / t.
TEST(Ema, OfALengthIsTheProfilesWeightedSum) {
  torch::manual_seed(4);
  constexpr int64_t kSteps = 300;
  const auto weights = torch::randn({kSteps, 5}, torch::kDouble);
  for (const double length : {0.02, 0.05, 0.1, 0.25}) {
    auto ema = Ema::of_length(length, torch::full({5}, 1e6, torch::kDouble));
    auto sum = torch::zeros({5}, torch::kDouble);
    const double power = power_exponent(length) + 1;
    for (int64_t i = 1; i <= kSteps; ++i) {
      ema.update(weights[i - 1], i);
      sum += weights[i - 1] * (std::pow(double(i) / kSteps, power) -
                               std::pow(double(i - 1) / kSteps, power));
    }
    EXPECT_LT((ema.values() - sum).abs().max().item<double>(), 1e-12);
  }
}

TEST(ProfileBasis, TakesASnapshotThatIsThereAsItIs) {
  const ProfileBasis basis({{0.05, 50}, {0.05, 100}, {0.1, 100}}, 100);
  const auto fit = basis.fit(0.1);
  EXPECT_LT(fit.error, 1e-6);
  EXPECT_NEAR(fit.shares[0], 0, 1e-6);
  EXPECT_NEAR(fit.shares[1], 0, 1e-6);
  EXPECT_NEAR(fit.shares[2], 1, 1e-6);
}

// The best x a + (1 - x) b for c has x = <c - b, a - b> / |a - b|^2; the inner
// product of tau^p and tau^q, normalised, is (p + 1)(q + 1) / (p + q + 1).
TEST(ProfileBasis, FindsTheNearestMixtureOfTwo) {
  const auto product = [](double p, double q) {
    return (p + 1) * (q + 1) / (p + q + 1);
  };
  const double a = 1, b = 3, c = 2;
  const double across = product(a, a) - 2 * product(a, b) + product(b, b);
  const double x =
      (product(c, a) - product(c, b) - product(b, a) + product(b, b)) / across;
  const ProfileBasis basis({{power_length(a), 9}, {power_length(b), 9}}, 9);
  const auto fit = basis.fit(power_length(c));
  EXPECT_NEAR(fit.shares[0], x, 1e-9);
  EXPECT_NEAR(fit.shares[1], 1 - x, 1e-9);
}

// Distances of profiles by summing over a fine grid.
TEST(ProfileBasis, FitsBetterThanAnyOtherAndTellsHowWell) {
  const std::vector<AverageProfile> snapshots{
      {0.05, 40}, {0.1, 40}, {0.05, 100}, {0.1, 100}};
  const ProfileBasis basis(snapshots, 100);
  constexpr int64_t kCells = 50'000;
  const auto at = (torch::arange(kCells, torch::kDouble) + 0.5) / kCells;
  const auto density = [&](const AverageProfile& profile) {
    const double gamma = power_exponent(profile.length);
    const double end = double(profile.step) / 100;
    return torch::where(at <= end, (gamma + 1) / end * (at / end).pow(gamma),
                        torch::zeros_like(at));
  };
  for (const double length : {0.03, 0.07, 0.2}) {
    const auto wanted = density({length, 100});
    const auto distance = [&](const std::vector<double>& shares) {
      auto rest = -wanted;
      for (size_t i = 0; i < snapshots.size(); ++i)
        rest = rest + shares[i] * density(snapshots[i]);
      return (rest.norm() / wanted.norm()).item<double>();
    };
    const auto fit = basis.fit(length);
    EXPECT_NEAR(fit.error, distance(fit.shares), 1e-3) << length;
    for (size_t i = 0; i < 4; ++i)
      for (size_t j = 0; j < 4; ++j) {
        auto other = fit.shares;
        other[i] += 0.02;
        other[j] -= 0.02;
        if (i != j) {
          EXPECT_GT(distance(other), distance(fit.shares)) << length;
        }
      }
  }
}

// Weights that walk at random around a large constant. The error is told in
// units of how far the two averages that were kept lie apart.
TEST(ProfileBasis, MakesAThirdLengthOfTheSnapshotsOfTwo) {
  torch::manual_seed(5);
  constexpr int64_t kSteps = 1024, kEvery = 64, kSize = 400;
  auto weights = torch::full({kSize}, 100, torch::kDouble);
  auto shorter = Ema::of_length(0.05, weights),
       longer = Ema::of_length(0.10, weights),
       between = Ema::of_length(0.07, weights),
       beyond = Ema::of_length(0.14, weights);
  std::vector<AverageProfile> profiles;
  std::vector<at::Tensor> snapshots;
  for (int64_t step = 1; step <= kSteps; ++step) {
    weights += torch::randn({kSize}, torch::kDouble);
    for (auto* ema : {&shorter, &longer, &between, &beyond})
      ema->update(weights, step);
    if (step % kEvery > 0) continue;
    for (auto* ema : {&shorter, &longer}) {
      profiles.push_back({ema->length(), step});
      snapshots.push_back(ema->values().clone());
    }
  }
  const ProfileBasis basis(profiles, kSteps);
  const double apart = (shorter.values() - longer.values())
                           .square()
                           .mean()
                           .sqrt()
                           .item<double>();
  for (auto* wanted : {&between, &beyond}) {
    const auto fit = basis.fit(wanted->length());
    auto made = torch::zeros({kSize}, torch::kDouble);
    double sum = 0;
    for (size_t i = 0; i < snapshots.size(); ++i) {
      made += fit.shares[i] * snapshots[i];
      sum += fit.shares[i];
    }
    EXPECT_NEAR(sum, 1, 1e-12);
    EXPECT_LT(fit.error, 0.01);
    const double off =
        (made - wanted->values()).square().mean().sqrt().item<double>();
    EXPECT_LT(off, 0.005 * apart) << wanted->length();
  }
}

TEST(ProfileBasis, RefusesWhatIsNoBasis) {
  EXPECT_THROW(ProfileBasis({}, 10), ShapeError);
  EXPECT_THROW(ProfileBasis({{0.05, 11}}, 10), ShapeError);
}

// The ranges that docs/diffusion.md and tools/average.h tell.
TEST(ProfileBasis, ReachesTheLengthsThatAreTold) {
  const auto error = [](int64_t num_moments, double length) {
    std::vector<AverageProfile> profiles;
    constexpr int64_t kSteps = 6400;
    for (int64_t i = 1; i <= num_moments; ++i)
      for (const double kept : {0.05, 0.1})
        profiles.push_back({.length = kept, .step = i * kSteps / num_moments});
    return ProfileBasis(profiles, kSteps).fit(length).error;
  };
  for (const double length : {0.04, 0.07, 0.15})
    EXPECT_LE(error(8, length), 0.05);
  for (const double length : {0.02, 0.07, 0.25})
    EXPECT_LE(error(64, length), 0.05);
  EXPECT_GT(error(8, 0.25), 0.05);
}

}  // namespace
}  // namespace calotype
