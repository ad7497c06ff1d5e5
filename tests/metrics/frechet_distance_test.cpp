#include "metrics/frechet_distance.h"

#include <gmock/gmock.h>
#include <torch/types.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "tests/metrics/clouds.h"

namespace calotype {
namespace {

/// 2 F rows whose mean is `mean` and whose covariance is the diagonal
/// `variances`: each axis both ways.
at::Tensor rows_with(const at::Tensor& mean, const at::Tensor& variances) {
  const auto F = variances.size(0);
  const auto axes = at::diag((variances * double(2 * F - 1) / 2).sqrt());
  return at::cat({mean + axes, mean - axes});
}

at::Tensor numbers(std::vector<double> values) {
  return at::tensor(values, at::kDouble);
}

TEST(FrechetDistance, IsExactForKnownGaussians) {
  // |(3,4)|^2 + (1 - 2)^2 + (4 - 3)^2, the standard deviations' differences.
  const auto a = moments_of(rows_with(numbers({0, 0}), numbers({1, 16})));
  const auto b = moments_of(rows_with(numbers({3, 4}), numbers({4, 9})));
  EXPECT_NEAR(frechet_distance(a, b), 25 + 1 + 1, 27e-12);
  EXPECT_NEAR(frechet_distance(b, a), 27, 27e-12);
  EXPECT_NEAR(frechet_distance(a, a), 0, 1e-12);
}

// Turning both sets changes nothing; spreads over four orders of magnitude.
TEST(FrechetDistance, IsThatOfStandardDeviationsInAnyBasis) {
  const int64_t F = 60;
  const auto place = at::arange(F, at::kDouble);
  const auto one = at::pow(10., -4 * place / F);
  const auto two = (at::sin(place) + 1.5) * one;
  const auto apart = at::cos(place) * one;
  const double want =
      ((one - two).square().sum() + apart.square().sum()).item<double>();
  const auto turn = std::get<0>(torch::linalg_qr(double_cloud(F, F, 1)));
  for (const auto& basis : {at::eye(F, at::kDouble), turn}) {
    const auto a = moments_of(
        rows_with(at::zeros({F}, at::kDouble), one.square()).matmul(basis));
    const auto b = moments_of(rows_with(apart, two.square()).matmul(basis));
    EXPECT_NEAR(frechet_distance(a, b), want, 1e-9 * want);
    EXPECT_NEAR(frechet_distance(b, a), want, 1e-9 * want);
  }
}

// C = s^2 (1 - r) I + s^2 r J has the eigenvalues s^2 (1 + (F - 1) r) along the
// diagonal and s^2 (1 - r) across it, whatever r.
TEST(FrechetDistance, IsExactForCorrelatedFeatures) {
  const int64_t F = 8;
  const auto root_of = [&](double along, double across) {
    const auto mean = at::full({F, F}, 1. / F, at::kDouble);
    return mean * along + (at::eye(F, at::kDouble) - mean) * across;
  };
  const auto unit =
      rows_with(at::zeros({F}, at::kDouble), at::ones({F}, at::kDouble));
  const auto a = moments_of(unit.matmul(root_of(3, 0.5)));
  const auto b = moments_of(unit.matmul(root_of(1, 0.75)) + 2);
  const double want = 4 * F + 4 + 7 * 0.25 * 0.25;
  EXPECT_NEAR(frechet_distance(a, b), want, 1e-9 * want);
}

TEST(FrechetDistance, StaysFiniteForSingularCovariances) {
  const auto a = moments_of(rows_with(numbers({0, 0}), numbers({1, 0})));
  const auto b = moments_of(rows_with(numbers({0, 0}), numbers({0, 1})));
  EXPECT_NEAR(frechet_distance(a, b), 2, 1e-12);
  const auto still = moments_of(at::ones({5, 3}));
  EXPECT_EQ(frechet_distance(still, still), 0);
  EXPECT_NEAR(frechet_distance(still, moments_of(at::zeros({5, 3}))), 3, 1e-12);
}

// Fewer rows than features, features that repeat each other, and both: nearly
// 0 beside themselves, and the same both ways, at any scale.
TEST(FrechetDistance, KeepsItsDigitsForSingularCovariances) {
  const auto falling = at::pow(at::arange(1, 81, at::kDouble), -2);
  const auto few = [&](uint64_t seed) {
    return double_cloud(30, 80, seed) * falling;
  };
  const auto copied = [&](uint64_t seed) {
    const auto rows = double_cloud(200, 40, seed);
    return at::cat({rows, rows}, 1);
  };
  for (const double scale : {1e-8, 1., 1e8})
    for (const auto& [rows, others] :
         {std::pair{few(1), few(2)}, std::pair{copied(1), copied(2)},
          std::pair{few(1), copied(1)}}) {
      const auto a = moments_of(rows * scale), b = moments_of(others * scale);
      const double size = a.covariance().trace().item<double>();
      EXPECT_GE(frechet_distance(a, a), 0);
      EXPECT_LT(frechet_distance(a, a), 1e-11 * size);
      const double there = frechet_distance(a, b);
      EXPECT_GT(there, 0.01 * size);
      EXPECT_NEAR(frechet_distance(b, a), there, 1e-9 * there);
      EXPECT_NEAR(there / scale / scale,
                  frechet_distance(moments_of(rows), moments_of(others)),
                  1e-9 * there / scale / scale);
    }
}

TEST(FrechetReference, ServesMany) {
  const auto a = moments_of(double_cloud(100, 6, 1));
  const FrechetReference reference(a);
  for (uint64_t seed : {2, 3}) {
    const auto b = moments_of(double_cloud(90, 6, seed) + 1);
    EXPECT_EQ(reference.distance(b), frechet_distance(a, b));
  }
  EXPECT_THAT([&] { reference.distance(moments_of(double_cloud(9, 5, 1))); },
              testing::ThrowsMessage<ShapeError>(
                  "Fréchet distance: the other covariance must be [6, 6], got "
                  "[5, 5]"));
  EXPECT_THROW(FrechetReference(moments_of(double_cloud(1, 5, 1))),
               ConfigError);
}

}  // namespace
}  // namespace calotype
