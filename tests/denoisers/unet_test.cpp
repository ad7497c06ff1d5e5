#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/error.h"
#include "denoisers/unet2d_model.h"
#include "nn/safetensors.h"
#include "tests/support/fixtures.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

UNet2DModelConfig small_unet() {
  return {.in_channels = 2,
          .out_channels = 2,
          .down_block_types = {"DownBlock2D", "AttnDownBlock2D"},
          .up_block_types = {"AttnUpBlock2D", "UpBlock2D"},
          .block_out_channels = {8, 16},
          .layers_per_block = 1,
          .norm_num_groups = 4};
}

// The numbers are diffusers' (tests/fixtures): any folder of that form is
// tested.
TEST(UNet2DModel, ComputesWhatTheReferenceComputes) {
  const torch::NoGradGuard no_grad;
  const auto folders = fixture_models("UNet2DModel");
  ASSERT_FALSE(folders.empty());
  for (const auto& path : folders) {
    SCOPED_TRACE(path.string());
    auto model = load_unet2d_model(open_model_folder(path));
    auto io = read_safetensors(path / "io.safetensors").tensors;
    const auto labels =
        io.count("class_labels") ? io["class_labels"] : torch::Tensor();
    EXPECT_TRUE(close_to_fixture(
        model->forward(io["sample"], io["timestep"], labels), io["out"]));
  }
}

// diffusers' google/ddpm-cifar10-32: 328 tensors, 35,746,307 numbers.
TEST(UNet2DModel, HasTheSizeOfDdpmCifar10) {
  UNet2DModel model(
      UNet2DModelConfig{.down_block_types = {"DownBlock2D", "AttnDownBlock2D",
                                             "DownBlock2D", "DownBlock2D"},
                        .up_block_types = {"UpBlock2D", "UpBlock2D",
                                           "AttnUpBlock2D", "UpBlock2D"},
                        .block_out_channels = {128, 256, 256, 256},
                        .attention_head_dim = std::nullopt});
  int64_t count = 0;
  for (const auto& parameter : model->parameters()) count += parameter.numel();
  EXPECT_EQ(count, 35'746'307);
  EXPECT_EQ(model->parameters().size(), 328u);
}

TEST(UNet2DModel, GivesGridsOfOddSizeBack) {
  const torch::NoGradGuard no_grad;
  UNet2DModel model(small_unet());
  const auto out =
      model->forward(torch::randn({1, 2, 7, 5}), torch::tensor({3.f}), {});
  EXPECT_EQ(out.sizes().vec(), (std::vector<int64_t>{1, 2, 7, 5}));
}

// Way down and up of each family of levels, with the channels they can do with.
struct Family {
  const char* down;
  const char* up;
  std::vector<int64_t> channels;
};

const Family kFamilies[] = {
    {"DownBlock2D", "UpBlock2D", {8, 12, 16}},
    {"AttnDownBlock2D", "AttnUpBlock2D", {8, 12, 16}},
    {"ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D", {8, 12, 16}},
    {"SkipDownBlock2D", "SkipUpBlock2D", {8, 12, 16}},
    {"AttnSkipDownBlock2D", "AttnSkipUpBlock2D", {32, 32, 32}},
    {"KDownBlock2D", "KUpBlock2D", {32, 64, 32}},
};

UNet2DModelConfig config_of(const Family& family) {
  auto config = small_unet();
  config.down_block_types.assign(3, family.down);
  config.up_block_types.assign(3, family.up);
  config.block_out_channels = family.channels;
  config.attention_head_dim = 4;
  return config;
}

TEST(UNet2DModel, GivesGridsOfOddSizeBackWhateverItsLevels) {
  const torch::NoGradGuard no_grad;
  for (const auto& family : kFamilies)
    for (const char* type : {"conv", "resnet"}) {
      SCOPED_TRACE(std::string(family.down) + " " + type);
      auto config = config_of(family);
      config.downsample_type = config.upsample_type = type;
      UNet2DModel model(config);
      for (const auto& [h, w] : {std::pair{13, 11}, {12, 8}, {9, 10}}) {
        const auto out = model->forward(torch::randn({1, 2, h, w}),
                                        torch::tensor({3.f}), {});
        EXPECT_EQ(out.sizes().vec(), (std::vector<int64_t>{1, 2, h, w}));
        EXPECT_TRUE(out.isfinite().all().item<bool>());
      }
    }
}

TEST(UNet2DModel, GivesEveryParameterAGradientWhateverItsLevels) {
  for (const auto& family : kFamilies) {
    SCOPED_TRACE(family.down);
    torch::manual_seed(0);
    auto config = config_of(family);
    config.num_class_embeds = 3;
    UNet2DModel model(config);
    model
        ->forward(torch::randn({3, 2, 8, 8}), torch::tensor({3.f, 90.f, 800.f}),
                  torch::tensor({0, 1, 2}))
        .square()
        .mean()
        .backward();
    for (const auto& item : model->named_parameters()) {
      SCOPED_TRACE(item.key());
      ASSERT_TRUE(item.value().grad().defined());
      // A shift of all keys changes no attention.
      if (item.key().ends_with("to_k.bias")) continue;
      EXPECT_GT(item.value().grad().abs().max().item<double>(), 0);
    }
  }
}

TEST(UNet2DModel, RefusesLevelsThatDoNotFitTogether) {
  const auto message = [](std::vector<std::string> down,
                          std::vector<std::string> up) {
    auto config = small_unet();
    config.block_out_channels.assign(down.size(), 32);
    config.down_block_types = std::move(down);
    config.up_block_types = std::move(up);
    try {
      UNet2DModel model(config);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  // The last level is not halved, so that there they are alike.
  EXPECT_EQ(
      message({"DownBlock2D", "KDownBlock2D"}, {"UpBlock2D", "UpBlock2D"}), "");
  EXPECT_EQ(message({"DownBlock2D", "DownBlock2D", "SkipDownBlock2D"},
                    {"UpBlock2D", "SkipUpBlock2D", "SkipUpBlock2D"}),
            "");
  const std::vector<std::string> mixed{"DownBlock2D", "KDownBlock2D",
                                       "DownBlock2D"};
  EXPECT_EQ(message(mixed, {"KUpBlock2D", "UpBlock2D", "UpBlock2D"}), "");
  EXPECT_EQ(message(mixed, {"UpBlock2D", "UpBlock2D", "KUpBlock2D"}),
            "UNet2DModel: up_block_types: UpBlock2D cannot be here, it takes "
            "skips that the way down does not leave");
  EXPECT_EQ(message({"UNetResDownBlock2D"}, {"UNetResUpBlock2D"}), "");
  EXPECT_EQ(
      message({"KDownBlock2D", "DownBlock2D"}, {"UpBlock2D", "UpBlock2D"}),
      "UNet2DModel: up_block_types: UpBlock2D cannot be here, it takes "
      "skips that the way down does not leave");
  EXPECT_EQ(message({"DownBlock2D", "SkipDownBlock2D", "DownBlock2D"},
                    {"UpBlock2D", "UpBlock2D", "UpBlock2D"}),
            "UNet2DModel: down_block_types: SkipDownBlock2D cannot be here, it "
            "needs such blocks, or no halving, before it");
  EXPECT_EQ(
      message({"DownBlock2D", "DownBlock2D"}, {"SkipUpBlock2D", "UpBlock2D"}),
      "UNet2DModel: up_block_types: UpBlock2D cannot be here, it leaves "
      "the picture of the blocks before it small");
  EXPECT_EQ(message({"DownEncoderBlock2D"}, {"UpBlock2D"}),
            "UNet2DModel: down_block_types must be one of DownBlock2D, "
            "AttnDownBlock2D, ResnetDownsampleBlock2D, SkipDownBlock2D, "
            "AttnSkipDownBlock2D, KDownBlock2D, got DownEncoderBlock2D");
}

TEST(UNet2DModel, TakesTheSizesThatDiffusersWrites) {
  auto config = small_unet();
  for (const char* size : {"null", "32", "[32, 64]"}) {
    config.sample_size = Json::parse(size);
    EXPECT_NO_THROW(config.validate());
  }
  config.sample_size = "large";
  EXPECT_THROW(config.validate(), ConfigError);
  config = small_unet();
  config.norm_num_groups.reset();
  EXPECT_THROW(config.validate(), ConfigError);
}

TEST(UNet2DModel, BuildsEveryKindOfTimeAndClassEmbedding) {
  const torch::NoGradGuard no_grad;
  for (const char* time : {"positional", "fourier", "learned"})
    for (const char* shift : {"default", "scale_shift"}) {
      auto config = small_unet();
      config.time_embedding_type = time;
      config.resnet_time_scale_shift = shift;
      config.num_train_timesteps = 10;
      config.class_embed_type = "timestep";
      config.downsample_type = config.upsample_type = "resnet";
      UNet2DModel model(config);
      const auto out = model->forward(torch::randn({1, 2, 8, 8}),
                                      torch::tensor({3}), torch::tensor({2}));
      EXPECT_TRUE(out.isfinite().all().item<bool>()) << time << " " << shift;
    }
}

TEST(UNet2DModel, KeepsItsNumbersThroughSaveAndLoad) {
  const torch::NoGradGuard no_grad;
  TempFolder folder;
  UNet2DModel model(small_unet());
  save_model_folder(folder.path(), UNet2DModelImpl::kClassName,
                    write_config(model->config()), weights_of(*model));
  auto loaded = load_unet2d_model(open_model_folder(folder.path()));
  const auto x = torch::randn({1, 2, 8, 8});
  const auto t = torch::tensor({1.f});
  EXPECT_TRUE(
      torch::equal(loaded->forward(x, t, {}), model->forward(x, t, {})));
}

TEST(UNet2DModel, RefusesUnknownBlocksAndMissingLabels) {
  auto config = small_unet();
  config.up_block_types[0] = "MagicUpBlock2D";
  EXPECT_THROW(UNet2DModel{config}, ConfigError);
  config = small_unet();
  config.num_class_embeds = 3;
  UNet2DModel model(config);
  EXPECT_EQ(model->num_classes(), 2);
  EXPECT_THROW(
      model->forward(torch::zeros({1, 2, 8, 8}), torch::tensor({1.f}), {}),
      ShapeError);
}

}  // namespace
}  // namespace calotype
