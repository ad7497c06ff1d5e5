#include "vae/gaussian.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

namespace calotype {
namespace {

TEST(Gaussian, SplitsMomentsAndClampsTheLogVariance) {
  const auto grid =
      split_moments(torch::tensor({1.f, 50.f, 2.f, -40.f}).view({2, 2, 1, 1}));
  EXPECT_TRUE(torch::equal(grid.mean.flatten(), torch::tensor({1.f, 2.f})));
  EXPECT_TRUE(
      torch::equal(grid.logvar.flatten(), torch::tensor({20.f, -30.f})));
}

TEST(Gaussian, SampleIsMeanPlusNoiseTimesDeviation) {
  const LatentGrid grid{
      .mean = torch::full({1, 1, 1, 1}, 3.f),
      .logvar = torch::full({1, 1, 1, 1}, float(std::log(4.0)))};
  EXPECT_FLOAT_EQ(sample(grid, torch::full({1, 1, 1, 1}, 0.5f)).item<float>(),
                  4.f);
}

// KL(N(m, s^2) || N(0,1)) = (m^2 + s^2 - 1 - ln s^2) / 2: for m = 1, s^2 = 2
// that is (1 + 2 - 1 - 0.693147) / 2.
TEST(Gaussian, DivergenceIsAsByHand) {
  const LatentGrid grid{
      .mean = torch::ones({2, 1, 1, 3}),
      .logvar = torch::full({2, 1, 1, 3}, float(std::log(2.0)))};
  const auto kl = kl_per_sample(grid);
  EXPECT_NEAR(kl[0].item<double>(), 3 * 0.5 * (2 - 0.693147), 1e-5);
  const LatentGrid prior{.mean = torch::zeros({1, 2, 2, 2}),
                         .logvar = torch::zeros({1, 2, 2, 2})};
  EXPECT_EQ(kl_per_sample(prior).item<double>(), 0);
}

}  // namespace
}  // namespace calotype
