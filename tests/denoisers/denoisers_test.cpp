#include "denoisers/denoisers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/error.h"
#include "denoisers/unet2d_model.h"
#include "tests/support/message_of.h"
#include "tests/support/rows_alone.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

Json smallest(const std::string& class_name) {
  Json config{{"_class_name", class_name}, {"_note", "kept by nobody"}};
  if (class_name == "UNet2DModel")
    config.update({{"block_out_channels", {8}},
                   {"down_block_types", {"DownBlock2D"}},
                   {"up_block_types", {"UpBlock2D"}},
                   {"layers_per_block", 1},
                   {"norm_num_groups", 4}});
  else if (class_name == "DiTTransformer2DModel")
    config.update({{"num_attention_heads", 2},
                   {"attention_head_dim", 4},
                   {"num_layers", 1}});
  else
    config.update(
        {{"hidden_size", 8}, {"num_attention_heads", 2}, {"num_layers", 1}});
  return config;
}

TEST(Denoisers, AreMadeToFitLatentsAndComeBackFromTheirFolders) {
  const torch::NoGradGuard no_grad;
  for (const auto& name : denoiser_classes()) {
    SCOPED_TRACE(name);
    EXPECT_TRUE(is_denoiser(name));
    const auto made = make_denoiser(
        smallest(name), {.grid_shape = {5, 4, 6}, .num_classes = 3});
    EXPECT_EQ(made.denoiser->num_classes(), 3);
    EXPECT_FALSE(made.config.contains("_class_name"));
    for (auto& parameter : made.denoiser->module().parameters())
      parameter.add_(0.1);
    TempFolder folder;
    save_model_folder(folder.path(), name, made.config,
                      weights_of(made.denoiser->module()));
    const auto loaded = load_denoiser(open_model_folder(folder.path()));
    EXPECT_FALSE(loaded->module().is_training());
    made.denoiser->module().eval();
    const auto x = torch::randn({2, 5, 4, 6});
    const auto t = torch::tensor({3.f, 800.f});
    const auto labels = torch::tensor({3, 0});
    const auto out = made.denoiser->forward(x, t, labels);
    EXPECT_EQ(out.sizes(), x.sizes());
    EXPECT_TRUE(torch::equal(loaded->forward(x, t, labels), out));
  }
}

TEST(Denoisers, AnswerASampleTheSameInAnyBatch) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  for (const auto& name : denoiser_classes()) {
    SCOPED_TRACE(name);
    const auto made = make_denoiser(
        smallest(name), {.grid_shape = {5, 4, 6}, .num_classes = 3});
    auto& module = made.denoiser->module();
    module.eval();
    for (auto& parameter : module.parameters())
      parameter.add_(0.2 * torch::randn_like(parameter));
    const auto x = torch::randn({48, 5, 4, 6});
    const auto t = torch::rand({48}) * 999;
    const auto labels = torch::randint(4, {48});
    expect_rows_alone(torch::arange(48), [&](const at::Tensor& rows) {
      return made.denoiser->forward(x.index_select(0, rows),
                                    t.index_select(0, rows),
                                    labels.index_select(0, rows));
    });
  }
}

TEST(Denoisers, DoWithoutClasses) {
  const torch::NoGradGuard no_grad;
  for (const auto& name : denoiser_classes()) {
    SCOPED_TRACE(name);
    const auto made = make_denoiser(smallest(name), {.grid_shape = {2, 4, 4}});
    EXPECT_EQ(made.denoiser->num_classes(), 0);
    const auto out = made.denoiser->forward(torch::randn({1, 2, 4, 4}),
                                            torch::tensor({3.f}), {});
    EXPECT_TRUE(out.isfinite().all().item<bool>());
  }
}

TEST(Denoisers, KeepWhatTheConfigurationSays) {
  auto config = smallest("UNet2DModel");
  config["out_channels"] = 4;
  config["num_class_embeds"] = 9;
  const auto made =
      make_denoiser(config, {.grid_shape = {2, 4, 4}, .num_classes = 3});
  EXPECT_EQ(made.config["in_channels"], 2);
  EXPECT_EQ(made.config["out_channels"], 4);
  EXPECT_EQ(made.denoiser->num_classes(), 8);
}

// A fixture of such a network shows that its numbers are right all the same.
TEST(Denoisers, RefuseAClassThatNothingHereCanChoose) {
  auto config = smallest("UNet2DModel");
  config["class_embed_type"] = "timestep";
  EXPECT_THAT(message_of<ConfigError>([&] {
                make_denoiser(config, {.grid_shape = {2, 4, 4}});
              }),
              testing::StartsWith(
                  "model: class_embed_type must be null, got \"timestep\""));
  TempFolder folder;
  config.erase("_class_name");
  UNet2DModelConfig read;
  config.erase("_note");
  read_config(config, read, "test");
  UNet2DModel model(read);
  save_model_folder(folder.path(), "UNet2DModel", config, weights_of(*model));
  EXPECT_THAT(message_of<ConfigError>(
                  [&] { load_denoiser(open_model_folder(folder.path())); }),
              testing::HasSubstr("config.json: class_embed_type must be null"));
}

TEST(Denoisers, RefuseOtherClassesAndUnknownKeys) {
  EXPECT_FALSE(is_denoiser("AutoencoderKL"));
  EXPECT_THROW(make_denoiser({{"_class_name", "AutoencoderKL"}},
                             {.grid_shape = {2, 4, 4}}),
               ConfigError);
  EXPECT_THROW(make_denoiser({{"_class_name", "UNet2DModel"}, {"depth", 3}},
                             {.grid_shape = {2, 4, 4}}),
               ConfigError);
  ModelFolder folder{.path = "here",
                     .class_name = "AutoencoderKL",
                     .config = {},
                     .weights = {}};
  try {
    load_denoiser(folder);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_TRUE(std::string(error.what())
                    .starts_with("here: expected a denoiser (UNet2DModel, "
                                 "DiTTransformer2DModel"))
        << error.what();
  }
}

}  // namespace
}  // namespace calotype
