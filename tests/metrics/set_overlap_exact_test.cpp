#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/random.h"
#include "metrics/set_overlap.h"
#include "tests/metrics/clouds.h"

// set_overlap() beside the plain way: every distance from differences in
// double, one loop after the other.
namespace calotype {
namespace {

using Rows = std::vector<std::vector<double>>;

Rows rows_of(const at::Tensor& tensor) {
  const auto values = tensor.to(at::kDouble).contiguous();
  const auto F = values.size(1);
  Rows rows;
  for (int64_t i = 0; i < values.size(0); ++i) {
    const auto* first = values.data_ptr<double>() + i * F;
    rows.emplace_back(first, first + F);
  }
  return rows;
}

double apart(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t f = 0; f < a.size(); ++f) sum += (a[f] - b[f]) * (a[f] - b[f]);
  return sum;
}

std::vector<double> plain_radii(const Rows& rows, int64_t k) {
  std::vector<double> radii;
  for (size_t i = 0; i < rows.size(); ++i) {
    std::vector<double> others;
    for (size_t j = 0; j < rows.size(); ++j)
      if (j != i) others.push_back(apart(rows[i], rows[j]));
    std::nth_element(others.begin(), others.begin() + (k - 1), others.end());
    radii.push_back(others[size_t(k - 1)]);
  }
  return radii;
}

void expect_plain(const at::Tensor& reference, const at::Tensor& generated,
                  const SetOverlapConfig& config = {}) {
  const auto real = rows_of(reference), made = rows_of(generated);
  const auto narrow = plain_radii(real, config.precision_neighbours);
  const auto wide = plain_radii(real, config.density_neighbours);
  const auto around = plain_radii(made, config.precision_neighbours);
  auto precise = at::zeros({generated.size(0)}, at::kBool);
  auto balls = at::zeros({generated.size(0)}, at::kLong);
  auto recalled = at::zeros({reference.size(0)}, at::kBool);
  auto covered = recalled.clone();
  for (size_t i = 0; i < made.size(); ++i)
    for (size_t j = 0; j < real.size(); ++j) {
      const double d = apart(made[i], real[j]);
      if (d <= narrow[j]) precise.data_ptr<bool>()[i] = true;
      if (d <= around[i]) recalled.data_ptr<bool>()[j] = true;
      if (d > wide[j]) continue;
      ++balls.data_ptr<int64_t>()[i];
      covered.data_ptr<bool>()[j] = true;
    }
  const auto got = set_overlap(reference, generated, config);
  EXPECT_TRUE(at::equal(got.precise, precise));
  EXPECT_TRUE(at::equal(got.balls, balls));
  EXPECT_TRUE(at::equal(got.recalled, recalled));
  EXPECT_TRUE(at::equal(got.covered, covered));
  const auto mean = [](const at::Tensor& values) {
    return values.to(at::kDouble).mean().item<double>();
  };
  EXPECT_DOUBLE_EQ(got.precision, mean(precise));
  EXPECT_DOUBLE_EQ(got.recall, mean(recalled));
  EXPECT_DOUBLE_EQ(got.density, mean(balls) / config.density_neighbours);
  EXPECT_DOUBLE_EQ(got.coverage, mean(covered));
}

TEST(SetOverlapIsPlain, OverSeveralTiles) {
  expect_plain(double_cloud(1100, 3, 1), double_cloud(1060, 3, 2) * 0.9 + 0.2);
  expect_plain(double_cloud(300, 40, 1), double_cloud(1030, 40, 2));
}

TEST(SetOverlapIsPlain, OnWholeNumbersWithManyTies) {
  expect_plain((double_cloud(500, 4, 1) * 2).round(),
               (double_cloud(400, 4, 2) * 2).round());
  expect_plain((double_cloud(200, 33, 1) * 40).round(),
               (double_cloud(210, 33, 2) * 40).round());
}

TEST(SetOverlapIsPlain, OnCopiesWithinAndAcross) {
  const auto some = double_cloud(90, 5, 1);
  const auto twice = at::cat({some, some, double_cloud(60, 5, 2)});
  expect_plain(twice, at::cat({double_cloud(40, 5, 3), some.flip(0)}));
  expect_plain(twice, twice);
}

// Floats hold no digit of what tells these rows apart.
TEST(SetOverlapIsPlain, OnNearCopiesFarFromZero) {
  const auto near = [](uint64_t seed) {
    const auto places = double_cloud(60, 6, 9).repeat_interleave(4, 0) * 1e3;
    return places + 1e7 + double_cloud(240, 6, seed) * 1e-4;
  };
  expect_plain(near(1), near(2));
  // One row far away makes all others look alike.
  auto with_outlier = double_cloud(150, 6, 3);
  with_outlier[70].fill_(1e9);
  expect_plain(with_outlier, double_cloud(140, 6, 4));
  expect_plain(double_cloud(140, 6, 4), with_outlier);
}

TEST(SetOverlapIsPlain, AtAnyScale) {
  const auto real = double_cloud(120, 7, 1), made = double_cloud(130, 7, 2);
  const auto counts = set_overlap(real, made).balls;
  for (const double scale : {0x1p-300, 0x1p-40, 0x1p300})
    EXPECT_TRUE(
        at::equal(set_overlap(real * scale, made * scale).balls, counts));
  // Features of very different sizes.
  const auto sizes = at::pow(10., at::arange(7, at::kDouble) * -4);
  expect_plain(real * sizes, made * sizes);
}

TEST(SetOverlapIsPlain, ForOtherNumbersOfNeighbours) {
  expect_plain(double_cloud(200, 5, 1), double_cloud(150, 5, 2),
               {.precision_neighbours = 7, .density_neighbours = 2});
  expect_plain(double_cloud(40, 5, 1), double_cloud(41, 5, 2),
               {.precision_neighbours = 1, .density_neighbours = 39});
}

}  // namespace
}  // namespace calotype
