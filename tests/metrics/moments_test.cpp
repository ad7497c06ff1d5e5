#include "metrics/moments.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"
#include "tests/metrics/clouds.h"

namespace calotype {
namespace {

/// Four rows whose mean is `mean` and whose covariance is the diagonal
/// `variances`, exactly.
at::Tensor four_rows_with(const std::vector<double>& mean,
                          const std::vector<double>& variances) {
  const auto signs = torch::tensor({{1., 1.}, {1., -1.}, {-1., 1.}, {-1., -1.}},
                                   torch::kDouble);
  return torch::tensor(mean, torch::kDouble) +
         signs * (torch::tensor(variances, torch::kDouble) * 3 / 4).sqrt();
}

TEST(Moments, BatchesGiveWhatOneDoes) {
  const auto rows = torch::randn({100, 5}, torch::kDouble) + 1000;
  const auto whole = moments_of(rows);
  Moments parts;
  for (const auto& part : rows.split({1, 40, 59})) parts.add(part);
  EXPECT_EQ(parts.count(), 100);
  EXPECT_TRUE(torch::allclose(parts.mean(), rows.mean(0), 1e-12));
  EXPECT_TRUE(torch::allclose(parts.covariance(), whole.covariance(), 1e-9));
  EXPECT_TRUE(
      torch::allclose(whole.covariance().diagonal(), rows.var(0), 1e-9));
}

TEST(Moments, RefusesOneRowAndAnotherWidth) {
  auto moments = moments_of(torch::zeros({1, 3}));
  EXPECT_THROW(moments.covariance(), ConfigError);
  EXPECT_THROW(moments.add(torch::zeros({1, 4})), ShapeError);
}

TEST(PrincipalComponents, FindTheLongAxis) {
  const auto parts =
      principal_components(moments_of(four_rows_with({5, 6}, {1, 9})), 1);
  EXPECT_NEAR(std::abs(parts.directions[0][1].item<double>()), 1, 1e-9);
  EXPECT_NEAR(parts.variances[0].item<double>(), 9, 1e-9);
  EXPECT_NEAR(parts.total_variance, 10, 1e-9);
  const auto back = parts.reconstruct(torch::tensor({{7., 8.}}));
  EXPECT_TRUE(
      torch::allclose(back, torch::tensor({{5., 8.}}).to(torch::kDouble)));
  EXPECT_THROW(principal_components(moments_of(torch::randn({9, 3})), 4),
               ConfigError);
}

}  // namespace
}  // namespace calotype
