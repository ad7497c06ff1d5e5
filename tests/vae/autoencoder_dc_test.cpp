#include "vae/autoencoder_dc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/error.h"
#include "nn/safetensors.h"
#include "tests/support/fixtures.h"
#include "tests/support/message_of.h"
#include "tests/support/rows_alone.h"
#include "tests/support/temp_folder.h"
#include "vae/codec_training.h"

namespace calotype {
namespace {

using testing::HasSubstr;

AutoencoderDCConfig dc_config() {
  return {.latent_channels = 4,
          .attention_head_dim = 4,
          .encoder_block_types = {"ResBlock", "EfficientViTBlock"},
          .decoder_block_types = {"ResBlock", "EfficientViTBlock"},
          .encoder_block_out_channels = {4, 8},
          .decoder_block_out_channels = {4, 8},
          .encoder_layers_per_block = {1, 1},
          .decoder_layers_per_block = {1, 1},
          .encoder_qkv_multiscales = {{}, {5}},
          .decoder_qkv_multiscales = {{}, {5}}};
}

std::string refusal_of(const AutoencoderDCConfig& config) {
  return message_of<ConfigError>([&] { AutoencoderDC{config}; });
}

// Of tests/fixtures, or of any folder of that form: shuffled and plain ways to
// another grid, an empty first stage, both norms, linear and quadratic
// attention.
TEST(AutoencoderDC, ComputesWhatTheReferenceComputes) {
  const torch::NoGradGuard no_grad;
  const auto folders = fixture_models("AutoencoderDC");
  ASSERT_FALSE(folders.empty());
  for (const auto& path : folders) {
    SCOPED_TRACE(path.string());
    auto model = load_autoencoder_dc(open_model_folder(path));
    const auto io = read_safetensors(path / "io.safetensors").tensors;
    const auto grid = model->encode(io.at("x"));
    EXPECT_FALSE(grid.logvar.defined());
    EXPECT_TRUE(close_to_fixture(grid.mean, io.at("latents")));
    EXPECT_TRUE(
        close_to_fixture(model->decode(io.at("latents")), io.at("decoded")));
  }
}

TEST(AutoencoderDC, KeepsItsNumbersThroughSaveAndLoad) {
  const torch::NoGradGuard no_grad;
  const TempFolder folder;
  AutoencoderDC model(dc_config());
  save_model_folder(folder.path(), AutoencoderDCImpl::kClassName,
                    write_config(model->config()), weights_of(*model));
  auto loaded = load_autoencoder_dc(open_model_folder(folder.path()));
  const auto images = torch::rand({2, 3, 6, 8}) * 2 - 1;
  const auto latents = model->encode(images).mean;
  EXPECT_EQ(latents.sizes(), (std::vector<int64_t>{2, 4, 3, 4}));
  EXPECT_TRUE(torch::equal(loaded->encode(images).mean, latents));
  EXPECT_TRUE(torch::equal(loaded->decode(latents), model->decode(latents)));
}

TEST(AutoencoderDC, CodesAnImageTheSameInAnyBatch) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(5);
  AutoencoderDC model(dc_config());
  model->eval();
  expect_rows_alone(torch::rand({48, 3, 8, 8}) * 2 - 1,
                    [&](const at::Tensor& x) { return model->encode(x).mean; });
  expect_rows_alone(torch::randn({48, 4, 4, 4}),
                    [&](const at::Tensor& z) { return model->decode(z); });
}

TEST(AutoencoderDC, LearnsByTheLossOfImages) {
  torch::manual_seed(6);
  auto model = std::make_shared<AutoencoderDCImpl>(dc_config());
  CodecTraining training(model, {});
  const auto losses = training.losses(
      {.data = torch::rand({2, 3, 7, 8}), .samples = torch::arange(2)});
  losses.total.backward();
  for (const auto& item : model->named_parameters())
    EXPECT_TRUE(item.value().grad().defined()) << item.key();
}

TEST(AutoencoderDC, RefusesWhatCannotBe) {
  auto config = dc_config();
  config.encoder_layers_per_block = {1, 0};
  EXPECT_THAT(refusal_of(config), HasSubstr("encoder_layers_per_block"));
  config = dc_config();
  config.decoder_qkv_multiscales = {{}};
  EXPECT_EQ(
      refusal_of(config),
      "AutoencoderDC: decoder_qkv_multiscales must have an entry for each "
      "of 2 stages, got 1");
  config = dc_config();
  config.latent_channels = 3;
  EXPECT_EQ(refusal_of(config),
            "AutoencoderDC: encoder_block_out_channels: a shortcut makes 3 "
            "channels of 8, which does not divide");
  config = dc_config();
  config.decoder_norm_types = "layer_norm";
  EXPECT_THAT(refusal_of(config),
              HasSubstr("decoder_norm_types must be one of rms_norm, "
                        "batch_norm, got layer_norm"));
  config = dc_config();
  config.attention_head_dim = 16;
  EXPECT_THAT(refusal_of(config),
              HasSubstr("must be at least attention_head_dim, 16"));
}

}  // namespace
}  // namespace calotype
