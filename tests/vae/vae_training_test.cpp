#include "vae/vae_training.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "vae/autoencoder_kl.h"

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

}  // namespace
}  // namespace calotype
