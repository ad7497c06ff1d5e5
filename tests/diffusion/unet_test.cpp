#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "diffusion/unet2d_model.h"
#include "nn/safetensors.h"
#include "tests/support/fixtures.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

UNet2DModelConfig small_config() {
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
  UNet2DModel model(small_config());
  const auto out =
      model->forward(torch::randn({1, 2, 7, 5}), torch::tensor({3.f}), {});
  EXPECT_EQ(out.sizes().vec(), (std::vector<int64_t>{1, 2, 7, 5}));
}

TEST(UNet2DModel, BuildsEveryKindOfTimeAndClassEmbedding) {
  const torch::NoGradGuard no_grad;
  for (const char* time : {"positional", "fourier", "learned"})
    for (const char* shift : {"default", "scale_shift"}) {
      auto config = small_config();
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
  UNet2DModel model(small_config());
  save_model_folder(folder.path(), UNet2DModelImpl::kClassName,
                    write_config(model->config()), weights_of(*model));
  auto loaded = load_unet2d_model(open_model_folder(folder.path()));
  const auto x = torch::randn({1, 2, 8, 8});
  const auto t = torch::tensor({1.f});
  EXPECT_TRUE(
      torch::equal(loaded->forward(x, t, {}), model->forward(x, t, {})));
}

TEST(UNet2DModel, RefusesUnknownBlocksAndMissingLabels) {
  auto config = small_config();
  config.up_block_types[0] = "MagicUpBlock2D";
  EXPECT_THROW(UNet2DModel{config}, ConfigError);
  config = small_config();
  config.num_class_embeds = 3;
  UNet2DModel model(config);
  EXPECT_EQ(model->num_classes(), 2);
  EXPECT_THROW(
      model->forward(torch::zeros({1, 2, 8, 8}), torch::tensor({1.f}), {}),
      ShapeError);
}

}  // namespace
}  // namespace calotype
