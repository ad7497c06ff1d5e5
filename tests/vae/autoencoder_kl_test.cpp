#include "vae/autoencoder_kl.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/files.h"
#include "images/image_io.h"
#include "nn/safetensors.h"
#include "tests/support/fixtures.h"
#include "tests/support/message_of.h"
#include "tests/support/rows_alone.h"
#include "tests/support/temp_folder.h"
#include "vae/gaussian.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

AutoencoderKLConfig small_config() {
  return {.in_channels = 1,
          .out_channels = 1,
          .down_block_types = {"DownEncoderBlock2D", "DownEncoderBlock2D"},
          .up_block_types = {"UpDecoderBlock2D", "UpDecoderBlock2D"},
          .block_out_channels = {8, 16},
          .latent_channels = 3,
          .norm_num_groups = 4};
}

// The numbers are diffusers' (tests/fixtures): any folder of that form is
// tested.
TEST(AutoencoderKL, ComputesWhatTheReferenceComputes) {
  const torch::NoGradGuard no_grad;
  const auto folders = fixture_models("AutoencoderKL");
  ASSERT_FALSE(folders.empty());
  for (const auto& path : folders) {
    SCOPED_TRACE(path.string());
    auto model = load_autoencoder_kl(open_model_folder(path));
    const auto io = read_safetensors(path / "io.safetensors").tensors;
    const auto grid = model->encode(io.at("x"));
    EXPECT_TRUE(close_to_fixture(grid.mean, io.at("mean")));
    EXPECT_TRUE(close_to_fixture(grid.logvar, io.at("logvar")));
    EXPECT_TRUE(
        close_to_fixture(model->decode(io.at("mean")), io.at("decoded")));
    if (io.count("kl")) {
      EXPECT_TRUE(close_to_fixture(kl_per_sample(grid), io.at("kl")));
    }
  }
}

TEST(AutoencoderKL, TakesImageFilesToTheBytesOfTheReference) {
  const torch::NoGradGuard no_grad;
  int num_checked = 0;
  for (const auto& path : fixture_models("AutoencoderKL")) {
    if (!fs::exists(path / "expected_images.safetensors")) continue;
    SCOPED_TRACE(path.string());
    auto model = load_autoencoder_kl(open_model_folder(path));
    const auto expected =
        read_safetensors(path / "expected_images.safetensors").tensors;
    for (int64_t i = 0; i < expected.at("mean").size(0); ++i) {
      const auto file = path / "images" / fmt::format("{}.png", i);
      const auto image =
          to_tensor(decode_image(read_file(file), file.string())).unsqueeze(0);
      const auto grid = model->encode(image);
      EXPECT_TRUE(close_to_fixture(grid.mean[0], expected.at("mean")[i]));
      EXPECT_TRUE(close_to_fixture(grid.logvar[0], expected.at("logvar")[i]));
      const auto decoded = to_image(model->decode(grid.mean)[0]);
      const auto want =
          expected.at("decoded_uint8")[i].permute({1, 2, 0}).contiguous();
      ASSERT_EQ(int64_t(decoded.pixels.size()), want.numel());
      for (int64_t p = 0; p < want.numel(); ++p)
        ASSERT_LE(std::abs(int(decoded.pixels[size_t(p)]) -
                           int(want.data_ptr<uint8_t>()[p])),
                  1);
      ++num_checked;
    }
  }
  EXPECT_GT(num_checked, 0);
}

// interop.md of diffusers' Stable Diffusion VAE: 248 tensors, 83,653,863
// numbers.
TEST(AutoencoderKL, HasTheSizeOfStableDiffusions) {
  AutoencoderKL model(
      AutoencoderKLConfig{.down_block_types = {4, "DownEncoderBlock2D"},
                          .up_block_types = {4, "UpDecoderBlock2D"},
                          .block_out_channels = {128, 256, 512, 512},
                          .layers_per_block = 2});
  int64_t count = 0;
  for (const auto& parameter : model->parameters()) count += parameter.numel();
  EXPECT_EQ(count, 83'653'863);
  EXPECT_EQ(model->parameters().size(), 248u);
}

TEST(AutoencoderKL, KeepsItsNumbersThroughSaveAndLoad) {
  const torch::NoGradGuard no_grad;
  TempFolder folder;
  AutoencoderKL model(small_config());
  save_model_folder(folder.path(), AutoencoderKLImpl::kClassName,
                    write_config(model->config()), weights_of(*model));
  auto loaded = load_autoencoder_kl(open_model_folder(folder.path()));
  const auto images = torch::rand({2, 1, 12, 8}) * 2 - 1;
  EXPECT_TRUE(
      torch::equal(loaded->encode(images).mean, model->encode(images).mean));
}

TEST(AutoencoderKL, CodesAnImageTheSameInAnyBatch) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  AutoencoderKL model(small_config());
  const auto images = torch::rand({48, 1, 12, 8}) * 2 - 1;
  expect_rows_alone(images, [&](const at::Tensor& x) {
    const auto grid = model->encode(x);
    return torch::cat({grid.mean, grid.logvar}, 1);
  });
  expect_rows_alone(torch::randn({48, 3, 6, 4}),
                    [&](const at::Tensor& z) { return model->decode(z); });
}

TEST(AutoencoderKL, RefusesSizesThatItCannotHalve) {
  AutoencoderKL model(small_config());
  EXPECT_EQ(message_of<std::exception>([&] {
              model->encode(torch::zeros({1, 1, 9, 8}));
            }),
            "AutoencoderKL: height and width must be multiples of 2, got 9x8");
  EXPECT_EQ(message_of<std::exception>([&] {
              model->encode(torch::zeros({1, 3, 8, 8}));
            }),
            "AutoencoderKL: images must be [*, 1, *, *], got [1, 3, 8, 8]");
}

TEST(AutoencoderKL, RefusesBlocksThatItDoesNotHave) {
  auto config = small_config();
  config.down_block_types[0] = "DownBlock2D";
  EXPECT_EQ(
      message_of<std::exception>([&] { AutoencoderKL{config}; }),
      "AutoencoderKL: down_block_types must be one of DownEncoderBlock2D, "
      "AttnDownEncoderBlock2D, got DownBlock2D");
  config = small_config();
  config.norm_num_groups = 5;
  EXPECT_THROW(AutoencoderKL{config}, ConfigError);
}

TEST(AutoencoderKL, NamesAParameterThatIsMissingOrUnknown) {
  AutoencoderKL model(small_config());
  auto file = weights_of(*model);
  file.tensors["extra"] = torch::zeros({1});
  EXPECT_EQ(
      message_of<std::exception>([&] { load_weights(*model, file, "w"); }),
      "w: unknown parameter extra");
  file.tensors.erase("extra");
  file.tensors.erase("quant_conv.bias");
  EXPECT_EQ(
      message_of<std::exception>([&] { load_weights(*model, file, "w"); }),
      "w: quant_conv.bias is missing");
}

}  // namespace
}  // namespace calotype
