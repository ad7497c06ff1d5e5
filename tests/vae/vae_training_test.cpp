#include "vae/vae_training.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/random.h"
#include "nn/padding.h"
#include "nn/preview.h"
#include "vae/autoencoder_kl.h"
#include "vae/gaussian.h"

namespace calotype {
namespace {

// Images of four values, one latent number each with KL (1 + 1 - 1 - 0) / 2
// = 0.5.
struct Case {
  LatentGrid posterior{.mean = torch::ones({2, 1, 1, 1}),
                       .logvar = torch::zeros({2, 1, 1, 1})};

  double charged(const VaeLossConfig& config, int64_t step = 0) const {
    return kl_loss(config, posterior, 4, step).charged.item<double>();
  }
};

TEST(KlLoss, IsTheShareThatTheHeaderStates) {
  EXPECT_NEAR(Case().charged({.kl_weight = 2}), 2 * 0.5 / 4, 1e-6);
}

TEST(KlLoss, AnnealsLinearly) {
  const Case c;
  const VaeLossConfig config{.kl_weight = 2, .kl_anneal_steps = 10};
  EXPECT_NEAR(c.charged(config, 0), 0, 1e-6);
  EXPECT_NEAR(c.charged(config, 5), 0.5 * 0.25, 1e-6);
  EXPECT_NEAR(c.charged(config, 99), 0.25, 1e-6);
}

TEST(KlLoss, FreeBitsCostTheirThresholdAndHaveNoGradient) {
  Case c;
  c.posterior.mean.requires_grad_(true);
  const auto loss =
      kl_loss({.kl_weight = 4, .free_bits = 0.75}, c.posterior, 4, 0);
  EXPECT_NEAR(loss.charged.item<double>(), 0.75, 1e-6);
  EXPECT_NEAR(loss.kl.item<double>(), 0.5, 1e-6);
  loss.charged.backward();
  EXPECT_EQ(c.posterior.mean.grad().abs().max().item<double>(), 0);
}

TEST(KlLoss, RefusesWhatItCannotMean) {
  EXPECT_THROW((VaeLossConfig{.image = {.reconstruction = "l3"}}.validate()),
               ConfigError);
  EXPECT_THROW((VaeLossConfig{.kl_weight = -1}.validate()), ConfigError);
  EXPECT_THROW(kl_loss({}, {.mean = torch::ones({2, 1, 1, 1})}, 4, 0),
               ShapeError);
}

TEST(VaeTraining, DrawsDependOnSeedSampleAndStepAlone) {
  torch::manual_seed(1);
  AutoencoderKL model(AutoencoderKLConfig{.in_channels = 1,
                                          .out_channels = 1,
                                          .block_out_channels = {8},
                                          .norm_num_groups = 4});
  VaeTraining training(model.ptr(), {});
  const Batch batch{.data = torch::rand({2, 1, 4, 4}),
                    .samples = torch::tensor({5, 9}),
                    .seed = 3,
                    .step = 7};
  const auto loss = [&](const Batch& b) {
    return training.losses(b).total.item<double>();
  };
  EXPECT_EQ(loss(batch), loss(batch));
  auto later = batch;
  later.step = 8;
  EXPECT_NE(loss(batch), loss(later));
}

at::Tensor part_of(const Losses& losses, const std::string& name) {
  for (const auto& [key, value] : losses.parts)
    if (key == name) return value;
  return {};
}

/// Grey images to grids of a quarter of their size.
AutoencoderKL small_model() {
  torch::manual_seed(1);
  return AutoencoderKL(AutoencoderKLConfig{
      .in_channels = 1,
      .out_channels = 1,
      .down_block_types = {"DownEncoderBlock2D", "DownEncoderBlock2D",
                           "DownEncoderBlock2D"},
      .up_block_types = {"UpDecoderBlock2D", "UpDecoderBlock2D",
                         "UpDecoderBlock2D"},
      .block_out_channels = {8, 8, 8},
      .norm_num_groups = 4});
}

TEST(VaeTraining, ComparesImagesOfOddSizesWhereTheyAreImages) {
  auto model = small_model();
  VaeTraining training(model.ptr(), {});
  const auto N = kPreviewColumns;
  const Batch batch{.data = torch::rand({N, 1, 7, 10}),
                    .samples = torch::arange(5, 5 + N)};
  const auto padded = pad_to_multiple(batch.data, 4);
  ASSERT_EQ(padded.sizes(), (std::vector<int64_t>{N, 1, 8, 12}));
  const auto posterior = model->encode(padded);
  const auto noise =
      normal_rows({4, 2, 3}, batch.samples, 0, Stream::kPosterior);
  const auto decoded = model->decode(sample(posterior, noise));
  const auto error = (batch.data - decoded.slice(2, 0, 7).slice(3, 0, 10))
                         .square()
                         .mean()
                         .item<double>();
  EXPECT_NEAR(part_of(training.losses(batch), "mse").item<double>(), error,
              1e-6);
  EXPECT_EQ(training.preview(batch).sizes(),
            (std::vector<int64_t>{2 * N, 1, 7, 10}));
}

// Gradients are off around a validation, and lambda is a ratio of them.
TEST(VaeTraining, IsValidatedWithTheAdaptiveWeightOfTraining) {
  auto model = small_model();
  VaeLossConfig config;
  config.image.adversarial = {.weight = 1, .start = 5, .channels = 8};
  VaeTraining training(model.ptr(), config);
  Batch batch{.data = torch::rand({2, 1, 16, 16}),
              .samples = torch::tensor({5, 9}),
              .steps_done = 5};
  const auto in_training =
      part_of(training.losses(batch), "adversarial_lambda");
  model->eval();
  const torch::NoGradGuard no_grad;
  const auto in_validation =
      part_of(training.losses(batch), "adversarial_lambda");
  ASSERT_TRUE(in_training.defined() && in_validation.defined());
  EXPECT_NEAR(in_validation.item<double>(), in_training.item<double>(),
              1e-3 * in_training.item<double>());
  batch.steps_done = 4;
  EXPECT_FALSE(part_of(training.losses(batch), "fooling").defined());
}

}  // namespace
}  // namespace calotype
