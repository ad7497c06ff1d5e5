#include "vae/asymmetric_autoencoder_kl.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "tests/support/message_of.h"
#include "tests/support/rows_alone.h"
#include "tests/support/temp_folder.h"
#include "vae/autoencoder_kl.h"

namespace calotype {
namespace {

AsymmetricAutoencoderKLConfig asymmetric_config() {
  return {.in_channels = 1,
          .out_channels = 1,
          .down_block_types = {2, "DownEncoderBlock2D"},
          .down_block_out_channels = {4, 8},
          .up_block_types = {2, "UpDecoderBlock2D"},
          .up_block_out_channels = {8, 12},
          .layers_per_up_block = 2,
          .latent_channels = 2,
          .norm_num_groups = 4};
}

AutoencoderKLConfig like(const std::vector<int64_t>& widths, int64_t layers) {
  return {.in_channels = 1,
          .out_channels = 1,
          .down_block_types = {2, "DownEncoderBlock2D"},
          .up_block_types = {2, "UpDecoderBlock2D"},
          .block_out_channels = widths,
          .layers_per_block = layers,
          .latent_channels = 2,
          .norm_num_groups = 4};
}

/// Those weights of `from` that `to` has too, name by name.
void copy_weights(torch::nn::Module& to, const torch::nn::Module& from,
                  const std::string& half) {
  const torch::NoGradGuard no_grad;
  const auto source = weights_of(from).tensors;
  for (auto& item : to.named_parameters())
    if (item.key().find(half) != std::string::npos)
      item.value().copy_(source.at(item.key()));
}

// Both halves are those of AutoencoderKL, whose numbers are diffusers'.
TEST(AsymmetricAutoencoderKL, EncodesAsOneAutoencoderKlAndDecodesAsAnother) {
  const torch::NoGradGuard no_grad;
  AsymmetricAutoencoderKL model(asymmetric_config());
  AutoencoderKL narrow(like({4, 8}, 1)), wide(like({8, 12}, 2));
  for (const char* half : {"encoder.", "quant_conv."})
    copy_weights(*narrow, *model, half);
  for (const char* half : {"decoder.", "post_quant_conv."})
    copy_weights(*wide, *model, half);
  const auto images = torch::rand({2, 1, 6, 8}) * 2 - 1;
  const auto grid = model->encode(images);
  EXPECT_EQ(grid.mean.sizes(), (std::vector<int64_t>{2, 2, 3, 4}));
  // quant_conv is of the encoder, post_quant_conv of the decoder.
  copy_weights(*narrow, *model, "quant_conv.");
  EXPECT_TRUE(torch::equal(grid.mean, narrow->encode(images).mean));
  EXPECT_TRUE(torch::equal(grid.logvar, narrow->encode(images).logvar));
  EXPECT_TRUE(torch::equal(model->decode(grid.mean), wide->decode(grid.mean)));
}

// MaskConditionEncoder of in_ch 3, out_ch 4, res_ch 12 and stride 16.
TEST(AsymmetricAutoencoderKL, CarriesTheConditionEncoderAlong) {
  auto config = asymmetric_config();
  config.out_channels = config.in_channels = 3;
  config.up_block_out_channels = {4, 12};
  AsymmetricAutoencoderKL model(config);
  const auto weights = weights_of(*model).tensors;
  const std::vector<std::vector<int64_t>> expected{{4, 3, 3, 3},
                                                   {8, 4, 3, 3},
                                                   {12, 8, 4, 4},
                                                   {12, 12, 4, 4},
                                                   {12, 12, 4, 4}};
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto name = fmt::format("decoder.condition_encoder.layers.{}.", i);
    EXPECT_EQ(weights.at(name + "weight").sizes(), expected[i]);
    EXPECT_EQ(weights.at(name + "bias").size(0), expected[i][0]);
    EXPECT_FALSE(model->named_parameters()[name + "weight"].requires_grad());
  }
}

TEST(AsymmetricAutoencoderKL, KeepsItsNumbersThroughSaveAndLoad) {
  const torch::NoGradGuard no_grad;
  const TempFolder folder;
  AsymmetricAutoencoderKL model(asymmetric_config());
  auto config = write_config(model->config());
  config["block_out_channels"] = {8, 12};  // as diffusers writes it
  save_model_folder(folder.path(), AsymmetricAutoencoderKLImpl::kClassName,
                    config, weights_of(*model));
  auto loaded =
      load_asymmetric_autoencoder_kl(open_model_folder(folder.path()));
  const auto images = torch::rand({1, 1, 4, 4});
  EXPECT_TRUE(torch::equal(loaded->decode(loaded->encode(images).mean),
                           model->decode(model->encode(images).mean)));
}

TEST(AsymmetricAutoencoderKL, RefusesHalvesOfDifferentLevels) {
  auto config = asymmetric_config();
  config.up_block_out_channels = {8};
  config.up_block_types.resize(1);
  EXPECT_EQ(message_of<ConfigError>([&] { AsymmetricAutoencoderKL{config}; }),
            "AsymmetricAutoencoderKL: up_block_out_channels must have as many "
            "entries as down_block_out_channels, 2, got 1");
}

TEST(AutoencoderKL, MayHaveANarrowerDecoder) {
  const torch::NoGradGuard no_grad;
  const TempFolder folder;
  auto config = like({8, 12}, 1);
  AutoencoderKL whole(config);
  config.decoder_block_out_channels = {{4, 8}};
  AutoencoderKL narrow(config);
  EXPECT_EQ(weights_of(*narrow).tensors.at("decoder.conv_in.weight").size(0),
            8);
  EXPECT_EQ(weights_of(*narrow).tensors.at("encoder.conv_out.weight").size(1),
            12);
  save_model_folder(folder.path(), AutoencoderKLImpl::kClassName,
                    write_config(config), weights_of(*narrow));
  auto loaded = load_autoencoder_kl(open_model_folder(folder.path()));
  const auto latent = torch::rand({1, 2, 2, 2});
  EXPECT_TRUE(torch::equal(loaded->decode(latent), narrow->decode(latent)));

  config.decoder_block_out_channels = {{4}};
  EXPECT_EQ(message_of<ConfigError>([&] { AutoencoderKL{config}; }),
            "AutoencoderKL: decoder_block_out_channels must have as many "
            "entries as block_out_channels, 2, got 1");
}

// diffusers would be told of a key that it does not know.
TEST(AutoencoderKL, SaysNothingOfADecoderAsWideAsTheEncoder) {
  const TempFolder folder;
  AutoencoderKL model(like({4, 8}, 1));
  save_model_folder(folder.path(), AutoencoderKLImpl::kClassName,
                    write_config(model->config()), weights_of(*model));
  const auto config = read_json_file(folder / "config.json");
  EXPECT_FALSE(config.contains("decoder_block_out_channels"));
  EXPECT_TRUE(config.contains("shift_factor"));
}

}  // namespace
}  // namespace calotype
