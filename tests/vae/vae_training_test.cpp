#include "vae/vae_training.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "vae/autoencoder_kl.h"

namespace calotype {
namespace {

// Two images of four values, one latent number each with KL (1 + 1 - 1 - 0) / 2
// = 0.5.
struct Case {
  at::Tensor images = torch::zeros({2, 1, 2, 2});
  at::Tensor decoded = torch::full({2, 1, 2, 2}, 0.5f);
  LatentGrid posterior{.mean = torch::ones({2, 1, 1, 1}),
                       .logvar = torch::zeros({2, 1, 1, 1})};

  double total(const VaeLossConfig& config, int64_t step = 0) const {
    return vae_loss(config, images, decoded, posterior, step)
        .total.item<double>();
  }
};

TEST(VaeLoss, IsTheSumThatTheHeaderStates) {
  const Case c;
  EXPECT_NEAR(c.total({.reconstruction = "mse", .kl_weight = 2}),
              0.25 + 2 * 0.5 / 4, 1e-6);
  EXPECT_NEAR(c.total({.reconstruction = "l1", .kl_weight = 2}),
              0.5 + 2 * 0.5 / 4, 1e-6);
}

TEST(VaeLoss, AnnealsTheDivergenceLinearly) {
  const Case c;
  const VaeLossConfig config{.kl_weight = 2, .kl_anneal_steps = 10};
  EXPECT_NEAR(c.total(config, 0), 0.25, 1e-6);
  EXPECT_NEAR(c.total(config, 5), 0.25 + 0.5 * 0.25, 1e-6);
  EXPECT_NEAR(c.total(config, 99), 0.25 + 0.25, 1e-6);
}

TEST(VaeLoss, FreeBitsCostTheirThresholdAndHaveNoGradient) {
  Case c;
  c.posterior.mean.requires_grad_(true);
  const VaeLossConfig config{.kl_weight = 4, .free_bits = 0.75};
  const auto loss = vae_loss(config, c.images, c.decoded, c.posterior, 0);
  EXPECT_NEAR(loss.total.item<double>(), 0.25 + 0.75, 1e-6);
  EXPECT_NEAR(loss.kl.item<double>(), 0.5, 1e-6);
  loss.total.backward();
  EXPECT_EQ(c.posterior.mean.grad().abs().max().item<double>(), 0);
}

TEST(VaeLoss, RefusesWhatItCannotMean) {
  EXPECT_THROW((VaeLossConfig{.reconstruction = "l3"}.validate()), ConfigError);
  EXPECT_THROW((VaeLossConfig{.kl_weight = -1}.validate()), ConfigError);
  const Case c;
  EXPECT_THROW(vae_loss({}, c.images, c.decoded, {.mean = c.posterior.mean}, 0),
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

}  // namespace
}  // namespace calotype
