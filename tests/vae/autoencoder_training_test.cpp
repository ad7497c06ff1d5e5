#include "vae/autoencoder_training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/error.h"
#include "vae/gaussian.h"

namespace calotype {
namespace {

using testing::HasSubstr;

CalotypeAutoencoderConfig small() {
  return {.sample_size = 8, .hidden = {12}, .latent_channels = 3};
}

Batch batch_of(int64_t count, int64_t step = 0) {
  return {.data = torch::rand({count, 1, 8, 8}) * 2 - 1,
          .samples = torch::arange(count),
          .seed = 5,
          .step = step};
}

double part(const Losses& losses, const std::string& name) {
  for (const auto& [key, value] : losses.parts)
    if (key == name) return value.item<double>();
  ADD_FAILURE() << "no part " << name;
  return 0;
}

std::string refusal(const CalotypeAutoencoderConfig& model,
                    const AutoencoderLossConfig& loss) {
  try {
    AutoencoderTraining training(CalotypeAutoencoder(model), loss);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(AutoencoderTraining, PlainTotalIsTheMeanError) {
  CalotypeAutoencoder model(small());
  AutoencoderTraining training(model, {});
  const auto batch = batch_of(4);
  const auto decoded = model->decode(model->encode(batch.data).mean);
  EXPECT_NEAR(training.losses(batch).total.item<double>(),
              (decoded - batch.data).square().mean().item<double>(), 1e-6);
}

TEST(AutoencoderTraining, DenoisingIsJudgedByTheCleanImage) {
  CalotypeAutoencoder model(small());
  const CorruptionConfig corruption{.kind = "gaussian", .sigma = 0.5};
  AutoencoderTraining training(model, {.corruption = corruption});
  const auto batch = batch_of(4, 7);
  const auto seen = corrupt(corruption, batch.data, batch.samples, 5, 7);
  const auto decoded = model->decode(model->encode(seen).mean);
  EXPECT_NEAR(training.losses(batch).total.item<double>(),
              (decoded - batch.data).square().mean().item<double>(), 1e-6);
}

TEST(AutoencoderTraining, VariationalTotalIsTheNegativeBoundPerValue) {
  auto config = small();
  config.variational = true;
  config.reconstruction = "bce";
  CalotypeAutoencoder model(config);
  AutoencoderTraining training(model, {});
  const auto losses = training.losses(batch_of(4));
  EXPECT_NEAR(losses.total.item<double>(), -part(losses, "elbo_nats") / 64,
              1e-5);
  EXPECT_NEAR(part(losses, "elbo_nats"),
              -part(losses, "bce") * 64 - part(losses, "kl"), 1e-3);
}

TEST(AutoencoderTraining, PenaltiesAddWhatTheHeaderStates) {
  auto config = small();
  config.code_act_fn = "sigmoid";
  CalotypeAutoencoder model(config);
  AutoencoderTraining training(
      model, {.sparsity = {.kind = "kl", .weight = 3, .target = 0.1},
              .contractive = {.weight = 2, .num_probes = 3}});
  const auto losses = training.losses(batch_of(4));
  EXPECT_NEAR(
      losses.total.item<double>(),
      part(losses, "mse") +
          (3 * part(losses, "sparsity") + 2 * part(losses, "jacobian")) / 64,
      1e-5);
  EXPECT_GT(part(losses, "jacobian"), 0);
}

TEST(AutoencoderTraining, StackedLayersLearnOneAfterTheOther) {
  auto config = small();
  config.hidden = {12, 10};
  CalotypeAutoencoder model(config);
  AutoencoderTraining training(model, {.pretrain_steps = 5});
  const auto layers_with_gradient = [&](int64_t step) {
    model->zero_grad();
    training.losses(batch_of(4, step)).total.backward();
    std::string layers;
    for (const auto* name :
         {"encoder.0.weight", "encoder.1.weight", "encoder.2.weight"}) {
      const auto grad = model->named_parameters()[name].grad();
      layers +=
          grad.defined() && grad.abs().max().item<double>() > 0 ? '1' : '0';
    }
    return layers;
  };
  EXPECT_EQ(layers_with_gradient(4), "100");
  EXPECT_EQ(layers_with_gradient(5), "010");
  EXPECT_EQ(layers_with_gradient(14), "001");
  EXPECT_EQ(layers_with_gradient(15), "111");
  EXPECT_THAT(
      training.trained_parameters(5),
      testing::UnorderedElementsAre("encoder.1.weight", "encoder.1.bias",
                                    "decoder.1.weight", "decoder.1.bias"));
  EXPECT_TRUE(training.trained_parameters(15).empty());
}

TEST(AutoencoderTraining, FirstLayerLearnsTheImagesVarianceToo) {
  auto config = small();
  config.reconstruction = "gaussian";
  AutoencoderTraining training(CalotypeAutoencoder(config),
                               {.pretrain_steps = 5});
  EXPECT_THAT(training.trained_parameters(0),
              testing::Contains("log_variance"));
  EXPECT_THAT(training.trained_parameters(5),
              testing::Not(testing::Contains("log_variance")));
}

TEST(AutoencoderTraining, MaskedErrorIsOfTheHiddenPatches) {
  auto config = small();
  config.network = "masked";
  config.width = config.decoder_width = 16;
  config.num_layers = config.decoder_layers = 1;
  CalotypeAutoencoder model(config);
  AutoencoderTraining training(model, {.hidden_share = 0.5});
  auto batch = batch_of(2);
  const auto losses = training.losses(batch);
  EXPECT_EQ(losses.total.item<double>(), part(losses, "mse_hidden"));
  EXPECT_NE(part(losses, "mse_hidden"), part(losses, "mse_visible"));
}

TEST(AutoencoderTraining, ShowsCorruptedImagesAboveOriginals) {
  CalotypeAutoencoder model(small());
  const torch::NoGradGuard no_grad;
  EXPECT_EQ(AutoencoderTraining(model, {}).preview(batch_of(17)).size(0), 32);
  EXPECT_EQ(AutoencoderTraining(model, {.corruption = {.kind = "pixels"}})
                .preview(batch_of(8))
                .size(0),
            24);
}

TEST(AutoencoderTraining, RefusesACodeThatCanCopy) {
  auto config = small();
  config.latent_channels = 64;
  EXPECT_THAT(refusal(config, {}),
              HasSubstr("a code of 64 numbers can copy an image of 64 values"));
  EXPECT_EQ(refusal(config, {.corruption = {.kind = "pixels"}}), "accepted");
  EXPECT_EQ(refusal(config, {.sparsity = {.kind = "l1"}}), "accepted");
  EXPECT_EQ(refusal(config, {.contractive = {.weight = 1}}), "accepted");
  config.variational = true;
  EXPECT_EQ(refusal(config, {}), "accepted");
}

TEST(AutoencoderTraining, RefusesTermsThatDoNotGoTogether) {
  EXPECT_THAT(refusal(small(), {.sparsity = {.kind = "kl"}}),
              HasSubstr("sparsity kl needs code_act_fn sigmoid, got none"));
  EXPECT_THAT(refusal(small(), {.binarize = true}),
              HasSubstr("binarize needs reconstruction bce, got mse"));
  auto conv = small();
  conv.network = "conv";
  EXPECT_THAT(refusal(conv, {.pretrain_steps = 10}),
              HasSubstr("pretrain_steps needs a dense network"));
  auto masked = small();
  masked.network = "masked";
  EXPECT_THAT(refusal(masked, {.corruption = {.kind = "pixels"}}),
              HasSubstr("a masked network hides patches"));
}

}  // namespace
}  // namespace calotype
