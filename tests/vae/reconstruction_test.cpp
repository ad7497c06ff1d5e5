#include "vae/reconstruction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <numbers>

#include "core/error.h"

namespace calotype {
namespace {

double error_of(const std::string& name, double image, double output,
                const at::Tensor& log_variance = {}) {
  return reconstruction_errors(parse_reconstruction("test", name),
                               torch::full({1, 1, 1, 1}, image),
                               torch::full({1, 1, 1, 1}, output), log_variance)
      .item<double>();
}

TEST(Reconstruction, EachErrorIsItsFormula) {
  EXPECT_NEAR(error_of("mse", 1, 0.5), 0.25, 1e-7);
  EXPECT_NEAR(error_of("l1", 1, 0.5), 0.5, 1e-7);
  EXPECT_NEAR(error_of("charbonnier", 1, 0.5), std::sqrt(0.25 + 1e-6), 1e-7);
  EXPECT_NEAR(error_of("charbonnier", 1, 1), 1e-3, 1e-7);
  // The value 0 is the probability 1/2; the logit 2 is the probability 0.8808.
  EXPECT_NEAR(error_of("bce", 1, 2), -std::log(1 / (1 + std::exp(-2.0))), 1e-6);
  EXPECT_NEAR(error_of("bce", 0, 0), std::numbers::ln2, 1e-6);
  // A standard deviation of 2: (1 / 4 + ln 4 + ln 2 pi) / 2.
  EXPECT_NEAR(error_of("gaussian", 1, 0, torch::tensor(std::log(4.0))),
              0.5 * (0.25 + std::log(4.0) + std::log(2 * std::numbers::pi)),
              1e-6);
}

TEST(Reconstruction, LearnedVarianceIsBestWhereItIsTheMeanSquare) {
  const auto images = torch::randn({4, 1, 8, 8}) * 0.3;
  const auto output = torch::zeros_like(images);
  auto log_variance =
      images.square().mean().log().detach().requires_grad_(true);
  reconstruction_errors(Reconstruction::kGaussian, images, output, log_variance)
      .mean()
      .backward();
  EXPECT_NEAR(log_variance.grad().item<double>(), 0, 1e-6);
}

TEST(Reconstruction, ExpectedImageOfLogitsLiesOnTheImageScale) {
  const auto logits = torch::tensor({-100.f, 0.f, 100.f});
  EXPECT_TRUE(torch::allclose(expected_image(Reconstruction::kBce, logits),
                              torch::tensor({-1.f, 0.f, 1.f})));
  EXPECT_TRUE(expected_image(Reconstruction::kMse, logits).is_same(logits));
}

TEST(Reconstruction, OnlyLikelihoodsMakeABound) {
  EXPECT_TRUE(has_likelihood(Reconstruction::kBce));
  EXPECT_TRUE(has_likelihood(Reconstruction::kGaussian));
  EXPECT_FALSE(has_likelihood(Reconstruction::kMse));
  EXPECT_FALSE(has_likelihood(Reconstruction::kL1));
  EXPECT_FALSE(has_likelihood(Reconstruction::kCharbonnier));
}

TEST(Reconstruction, RefusesWhatItDoesNotKnow) {
  try {
    parse_reconstruction("loss", "l3");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(),
                testing::HasSubstr("loss: reconstruction must be one of mse, "
                                   "l1, bce, charbonnier, gaussian, got l3"));
  }
  EXPECT_THROW(error_of("gaussian", 0, 0), ShapeError);
  EXPECT_THROW(reconstruction_errors(Reconstruction::kMse, torch::zeros({1, 2}),
                                     torch::zeros({2, 1})),
               ShapeError);
}

}  // namespace
}  // namespace calotype
