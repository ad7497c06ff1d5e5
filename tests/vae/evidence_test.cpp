#include "vae/evidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <numbers>

#include "core/error.h"
#include "vae/code_usage.h"
#include "vae/gaussian.h"

namespace calotype {
namespace {

CalotypeAutoencoder model_of(const std::string& reconstruction, int64_t size) {
  torch::manual_seed(3);
  CalotypeAutoencoder model(
      CalotypeAutoencoderConfig{.sample_size = size,
                                .hidden = {6},
                                .latent_channels = 2,
                                .variational = true,
                                .reconstruction = reconstruction});
  model->eval();
  return model;
}

/// All black and white images of 2 x 2 pixels.
at::Tensor all_images() {
  auto images = torch::empty({16, 1, 2, 2});
  for (int64_t i = 0; i < 16; ++i)
    for (int64_t p = 0; p < 4; ++p)
      images[i][0][p / 2][p % 2] = (i >> p) & 1 ? 1.f : -1.f;
  return images;
}

TEST(Evidence, ProbabilitiesOfAllImagesSumToOne) {
  const torch::NoGradGuard no_grad;
  auto model = model_of("bce", 2);
  // With the prior as posterior and the same draws for all images, the bound is
  // the log of the mean of p(x|z_k), which sums to 1 over x for every k.
  const LatentGrid prior{.mean = torch::zeros({16, 2, 1, 1}),
                         .logvar = torch::zeros({16, 2, 1, 1})};
  const auto same_draws = torch::zeros({16}, torch::kLong);
  for (const int64_t draws : {1, 7, 120}) {
    const auto bound = importance_weighted_bound(*model, all_images(), prior,
                                                 same_draws, 1, draws);
    EXPECT_NEAR(bound.exp().sum().item<double>(), 1, 1e-4) << draws;
  }
}

TEST(Evidence, BytesOfAGaussianSumToOne) {
  const torch::NoGradGuard no_grad;
  auto model = model_of("gaussian", 1);
  const auto bytes = (torch::arange(256) / 127.5 - 1).view({256, 1, 1, 1});
  const auto code = torch::zeros({256, 2, 1, 1});
  for (const double log_variance : {-12.0, -6.0, 0.0, 3.0}) {
    model->log_variance().fill_(log_variance);
    const auto sum = log_likelihood(*model, bytes.to(torch::kFloat), code)
                         .exp()
                         .sum()
                         .item<double>();
    EXPECT_NEAR(sum, 1, 2e-3) << log_variance;
  }
}

TEST(Evidence, FarBytesHaveFiniteLogProbabilities) {
  const torch::NoGradGuard no_grad;
  auto model = model_of("gaussian", 1);
  model->log_variance().fill_(-14);
  const auto bytes = (torch::arange(256) / 127.5 - 1).view({256, 1, 1, 1});
  EXPECT_TRUE(log_likelihood(*model, bytes.to(torch::kFloat),
                             torch::zeros({256, 2, 1, 1}))
                  .isfinite()
                  .all()
                  .item<bool>());
}

TEST(Evidence, BoundsAreOrderedAndOneDrawIsTheLowerOne) {
  const torch::NoGradGuard no_grad;
  auto model = model_of("bce", 4);
  const auto images = torch::where(torch::rand({64, 1, 4, 4}) < 0.5, -1.0, 1.0)
                          .to(torch::kFloat);
  auto posterior = model->encode(images);
  const auto samples = torch::arange(64);
  const auto bound = [&](int64_t draws) {
    return importance_weighted_bound(*model, images, posterior, samples, 1,
                                     draws)
        .mean()
        .item<double>();
  };
  const auto elbo =
      evidence_lower_bound(*model, images, posterior, samples, 1, 500)
          .mean()
          .item<double>();
  EXPECT_NEAR(bound(1), elbo, 0.3);  // equal in expectation
  EXPECT_GT(bound(10), elbo);
  EXPECT_GT(bound(500), bound(10));
}

TEST(Evidence, DrawsDoNotDependOnTheBatch) {
  const torch::NoGradGuard no_grad;
  auto model = model_of("bce", 4);
  const auto images = torch::rand({8, 1, 4, 4});
  const auto posterior = model->encode(images);
  const auto all = importance_weighted_bound(*model, images, posterior,
                                             torch::arange(8), 1, 60);
  const LatentGrid one{.mean = posterior.mean.slice(0, 3, 4),
                       .logvar = posterior.logvar.slice(0, 3, 4)};
  EXPECT_NEAR(importance_weighted_bound(*model, images.slice(0, 3, 4), one,
                                        torch::tensor({3}), 1, 60)
                  .item<double>(),
              all[3].item<double>(), 1e-4);
}

TEST(Evidence, RefusesErrorsWithoutAScale) {
  auto model = model_of("mse", 2);
  try {
    log_likelihood(*model, all_images(), torch::zeros({16, 2, 1, 1}));
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("mse leaves the scale open"));
  }
}

TEST(Evidence, BitsPerDimOfAFairCoinIsOne) {
  EXPECT_NEAR(bits_per_dim(-784 * std::numbers::ln2, 784), 1, 1e-12);
}

TEST(Evidence, BinarizedImagesKeepTheirMean) {
  const auto grey = torch::full({200, 1, 10, 10}, 0.5f);  // 3/4 white
  const auto drawn = binarize(grey, torch::arange(200), 1, 0);
  EXPECT_EQ(drawn.abs().min().item<float>(), 1);
  EXPECT_NEAR(drawn.mean().item<double>(), 0.5, 0.02);
}

TEST(CodeUsage, CountsNumbersWhoseMeansMove) {
  CodeUsage usage;
  for (int batch = 0; batch < 3; ++batch) {
    auto mean = torch::zeros({4, 3, 1, 1});
    mean.select(1, 1) = torch::tensor({-1.f, 1.f, -1.f, 1.f}).view({4, 1, 1});
    mean.select(1, 2) = 5;  // far from the prior, but always the same
    usage.add({.mean = mean, .logvar = torch::zeros({4, 3, 1, 1})});
  }
  EXPECT_EQ(usage.num_images(), 12);
  EXPECT_EQ(usage.num_active(), 1);
  EXPECT_THAT(usage.kl_per_number(),
              testing::ElementsAre(testing::DoubleNear(0, 1e-9),
                                   testing::DoubleNear(0.5, 1e-6),
                                   testing::DoubleNear(12.5, 1e-5)));
  EXPECT_NEAR(usage.kl_nats(), 13, 1e-5);
  EXPECT_NEAR(usage.variances()[1], 1, 1e-9);
}

}  // namespace
}  // namespace calotype
