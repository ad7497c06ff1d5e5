#include "vae/autoencoder_tiny.h"

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

AutoencoderTinyConfig tiny_config() {
  return {.encoder_block_out_channels = {4, 4},
          .decoder_block_out_channels = {6, 6},
          .latent_channels = 2,
          .num_encoder_blocks = {1, 1},
          .num_decoder_blocks = {1, 1}};
}

// The numbers are diffusers' (tests/fixtures): any folder of that form is
// tested.
TEST(AutoencoderTiny, ComputesWhatTheReferenceComputes) {
  const torch::NoGradGuard no_grad;
  const auto folders = fixture_models("AutoencoderTiny");
  ASSERT_FALSE(folders.empty());
  for (const auto& path : folders) {
    SCOPED_TRACE(path.string());
    auto model = load_autoencoder_tiny(open_model_folder(path));
    const auto io = read_safetensors(path / "io.safetensors").tensors;
    const auto grid = model->encode(io.at("x"));
    EXPECT_FALSE(grid.logvar.defined());
    EXPECT_TRUE(close_to_fixture(grid.mean, io.at("latents")));
    EXPECT_TRUE(
        close_to_fixture(model->decode(io.at("latents")), io.at("decoded")));
    if (io.count("latents_wide")) {
      EXPECT_TRUE(close_to_fixture(model->decode(io.at("latents_wide")),
                                   io.at("decoded_wide")));
    }
  }
}

// interop: diffusers' TAESD has 134 tensors, 2,445,063 numbers.
TEST(AutoencoderTiny, HasTheSizeOfTaesd) {
  AutoencoderTiny model(AutoencoderTinyConfig{});
  int64_t count = 0;
  for (const auto& parameter : model->parameters()) count += parameter.numel();
  EXPECT_EQ(count, 2'445'063);
  EXPECT_EQ(model->parameters().size(), 134u);
  EXPECT_EQ(model->downsample(), 8);
}

TEST(AutoencoderTiny, KeepsItsNumbersThroughSaveAndLoad) {
  const torch::NoGradGuard no_grad;
  TempFolder folder;
  AutoencoderTiny model(tiny_config());
  auto config = write_config(model->config());
  config["block_out_channels"] = {6, 6};  // as diffusers writes it
  save_model_folder(folder.path(), AutoencoderTinyImpl::kClassName, config,
                    weights_of(*model));
  auto loaded = load_autoencoder_tiny(open_model_folder(folder.path()));
  const auto images = torch::rand({2, 3, 6, 8}) * 2 - 1;
  const auto latents = model->encode(images).mean;
  EXPECT_EQ(latents.sizes(), (std::vector<int64_t>{2, 2, 3, 4}));
  EXPECT_TRUE(torch::equal(loaded->encode(images).mean, latents));
  EXPECT_TRUE(torch::equal(loaded->decode(latents), model->decode(latents)));
}

// tanh(z/3)*3 is within rounding of 3 from 30 on.
TEST(AutoencoderTiny, HoldsLatentsBeforeItDecodesThem) {
  const torch::NoGradGuard no_grad;
  AutoencoderTiny model(tiny_config());
  const auto decoded = [&](double z) {
    return model->decode(torch::full({1, 2, 2, 2}, z));
  };
  EXPECT_TRUE(torch::equal(decoded(40), decoded(1000)));
  EXPECT_FALSE(torch::equal(decoded(2), decoded(3)));
}

TEST(AutoencoderTiny, CodesAnImageTheSameInAnyBatch) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  AutoencoderTiny model(tiny_config());
  expect_rows_alone(torch::rand({48, 3, 6, 8}) * 2 - 1,
                    [&](const at::Tensor& x) { return model->encode(x).mean; });
  expect_rows_alone(torch::randn({48, 2, 3, 4}) * 3,
                    [&](const at::Tensor& z) { return model->decode(z); });
}

TEST(AutoencoderTiny, RefusesHalvesThatDoNotMeet) {
  auto config = tiny_config();
  config.upsampling_scaling_factor = 3;
  EXPECT_EQ(message_of<ConfigError>([&] { AutoencoderTiny{config}; }),
            "AutoencoderTiny: images must come back as large as they were, but "
            "the encoder makes them 2 times smaller and the decoder 3 times "
            "larger");
  config = tiny_config();
  config.encoder_block_out_channels = {4, 8};
  EXPECT_EQ(message_of<ConfigError>([&] { AutoencoderTiny{config}; }),
            "AutoencoderTiny: encoder_block_out_channels must be one number, "
            "repeated; got 4 and 8");
  config = tiny_config();
  config.upsample_fn = "bilinear";
  EXPECT_EQ(
      message_of<ConfigError>([&] { AutoencoderTiny{config}; }),
      "AutoencoderTiny: upsample_fn must be one of nearest, got bilinear");
  AutoencoderTiny model(tiny_config());
  EXPECT_EQ(message_of<ShapeError>([&] {
              model->encode(torch::zeros({1, 3, 5, 4}));
            }),
            "AutoencoderTiny: height and width must be multiples of 2, got "
            "5x4");
}

TEST(CodecTraining, LearnsItsImagesByTheirErrorAlone) {
  torch::manual_seed(3);
  AutoencoderTiny model(tiny_config());
  CodecTraining training(model.ptr(), {});
  Batch batch{.data = torch::rand({8, 3, 5, 8}) * 2 - 1};
  const auto losses = training.losses(batch);
  const auto padded =
      torch::cat({batch.data, batch.data.slice(2, 3, 4)}, 2);  // mirrored below
  const auto want =
      (model->decode(model->encode(padded).mean).slice(2, 0, 5) - batch.data)
          .square()
          .mean();
  EXPECT_FLOAT_EQ(losses.total.item<float>(), want.item<float>());
  losses.total.backward();
  for (const auto& item : model->named_parameters())
    EXPECT_TRUE(item.value().grad().defined()) << item.key();
  EXPECT_EQ(training.preview(batch).size(0), 16);
}

TEST(CodecTraining, RefusesAWeightThatIsTakenWhereThereIsNoLayer) {
  CodecLossConfig loss;
  loss.image.adversarial.weight = 0.5;
  AutoencoderTiny model(tiny_config());
  EXPECT_EQ(message_of<ConfigError>([&] {
              CodecTraining{model.ptr(), loss};
            }),
            "loss: adversarial.adaptive must be false for a codec without a "
            "layer decoder.conv_out");
  loss.image.adversarial.adaptive = false;
  EXPECT_NO_THROW((CodecTraining{model.ptr(), loss}));
}

}  // namespace
}  // namespace calotype
