#include "denoisers/dit_transformer2d_model.h"

#include <gmock/gmock.h>
#include <torch/optim/sgd.h>
#include <torch/utils.h>

#include "core/error.h"
#include "denoisers/dit_block.h"
#include "nn/safetensors.h"
#include "tests/diffusion/perturb.h"
#include "tests/support/fixtures.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

DiTTransformer2DModelConfig small_transformer() {
  return {.num_attention_heads = 2,
          .attention_head_dim = 4,
          .in_channels = 3,
          .num_layers = 2,
          .sample_size = 4,
          .patch_size = 2,
          .num_embeds_ada_norm = 5};
}

// The numbers are diffusers' (tests/fixtures): any folder of that form is
// tested.
TEST(DiTTransformer2DModel, ComputesWhatTheReferenceComputes) {
  const torch::NoGradGuard no_grad;
  const auto folders = fixture_models("DiTTransformer2DModel");
  ASSERT_FALSE(folders.empty());
  for (const auto& path : folders) {
    SCOPED_TRACE(path.string());
    auto model = load_dit_transformer2d_model(open_model_folder(path));
    auto io = read_safetensors(path / "io.safetensors").tensors;
    EXPECT_TRUE(close_to_fixture(
        model->forward(io["sample"], io["timestep"], io["class_labels"]),
        io["out"]));
  }
}

// DiT-XL/2 of 1000 classes as diffusers stores it: 28 blocks of 22 tensors, of
// which the embedding in each has 1001 * 1152 + 256 * 1152 + 1152 * 1152 +
// 2 * 1152 numbers, the modulation 6 * (1152 * 1152 + 1152), attention
// 4 * (1152 * 1152 + 1152) and the MLP 8 * 1152 * 1152 + 5 * 1152.
TEST(DiTTransformer2DModel, HasTheSizeOfDiTXL2InOneBlock) {
  constexpr int64_t W = 1152;
  DiTBlock block(
      DiTBlockConfig{.width = W, .num_heads = 16, .class_rows = 1001});
  int64_t count = 0;
  for (const auto& parameter : block->parameters()) count += parameter.numel();
  EXPECT_EQ(count, 1001 * W + 256 * W + 19 * W * W + 17 * W);
  EXPECT_EQ(block->parameters().size(), 19u);
}

TEST(DiTTransformer2DModel, AnswersZeroBeforeItHasLearned) {
  const torch::NoGradGuard no_grad;
  DiTTransformer2DModel model(small_transformer());
  const auto out =
      model->forward(torch::randn({2, 3, 4, 4}), torch::tensor({3.f, 900.f}),
                     torch::tensor({0, 5}));
  EXPECT_EQ(out.abs().max().item<double>(), 0);
  EXPECT_EQ(out.sizes().vec(), (std::vector<int64_t>{2, 3, 4, 4}));
}

// Zero modulations open one after the other: the output first, then its
// modulation and the gates, then all that is behind them.
TEST(DiTTransformer2DModel, MovesEveryParameterAfterTwoSteps) {
  torch::manual_seed(0);
  DiTTransformer2DModel model(small_transformer());
  torch::optim::SGD optimizer(model->parameters(), 0.5);
  const auto x = torch::randn({6, 3, 4, 4});
  for (int step = 0; step < 3; ++step) {
    model->zero_grad();
    const auto out =
        model->forward(x, torch::tensor({1.f, 9.f, 90.f, 200.f, 400.f, 900.f}),
                       torch::tensor({0, 1, 2, 3, 4, 5}));
    (out - x).square().mean().backward();
    if (step < 2) optimizer.step();
  }
  for (const auto& item : model->named_parameters()) {
    SCOPED_TRACE(item.key());
    ASSERT_TRUE(item.value().grad().defined());
    // A shift of all keys changes no attention.
    if (item.key().ends_with("to_k.bias")) continue;
    EXPECT_GT(item.value().grad().abs().max().item<double>(), 0);
  }
}

TEST(DiTTransformer2DModel, KeepsItsNumbersThroughSaveAndLoad) {
  const torch::NoGradGuard no_grad;
  TempFolder folder;
  auto config = small_transformer();
  config.norm_elementwise_affine = true;
  config.out_channels = 6;  // with variances
  DiTTransformer2DModel model(config);
  perturb(*model);
  save_model_folder(folder.path(), DiTTransformer2DModelImpl::kClassName,
                    write_config(model->config()), weights_of(*model));
  auto loaded = load_dit_transformer2d_model(open_model_folder(folder.path()));
  const auto x = torch::randn({1, 3, 4, 4});
  const auto t = torch::tensor({1.f});
  const auto label = torch::tensor({5});
  const auto out = model->forward(x, t, label);
  EXPECT_EQ(out.size(1), 6);
  EXPECT_GT(out.abs().max().item<double>(), 0);
  EXPECT_TRUE(torch::equal(loaded->forward(x, t, label), out));
}

// As facebook/DiT-XL-2-256 is stored.
TEST(DiTTransformer2DModel, IsReadUnderItsFormerClass) {
  const torch::NoGradGuard no_grad;
  TempFolder folder;
  DiTTransformer2DModel model(small_transformer());
  perturb(*model);
  auto config = write_config(model->config());
  config.update({{"cross_attention_dim", nullptr},
                 {"num_vector_embeds", nullptr},
                 {"only_cross_attention", false},
                 {"use_linear_projection", false}});
  save_model_folder(folder.path(), "Transformer2DModel", config,
                    weights_of(*model));
  auto loaded = load_dit_transformer2d_model(open_model_folder(folder.path()));
  const auto x = torch::randn({1, 3, 4, 4});
  const auto t = torch::tensor({1.f});
  const auto label = torch::tensor({5});
  EXPECT_TRUE(
      torch::equal(loaded->forward(x, t, label), model->forward(x, t, label)));

  config["cross_attention_dim"] = 768;
  save_model_folder(folder.path(), "Transformer2DModel", config,
                    weights_of(*model));
  EXPECT_THAT(message_of<ConfigError>([&] {
                load_dit_transformer2d_model(open_model_folder(folder.path()));
              }),
              testing::EndsWith("config.json: cross_attention_dim must be null "
                                "for a DiT, got 768"));
}

TEST(DiTTransformer2DModel, TakesItsSizeAsAPairOfOneNumber) {
  TempFolder folder;
  DiTTransformer2DModel model(small_transformer());
  auto config = write_config(model->config());
  const auto loaded_size = [&](const Json& size) {
    config["sample_size"] = size;
    save_model_folder(folder.path(), DiTTransformer2DModelImpl::kClassName,
                      config, weights_of(*model));
    return load_dit_transformer2d_model(open_model_folder(folder.path()))
        ->config()
        .sample_size;
  };
  EXPECT_EQ(loaded_size({4, 4}), 4);
  EXPECT_EQ(loaded_size(nullptr), 32);
  EXPECT_EQ(message_of<ConfigError>([&] {
              loaded_size({4, 8});
            }),
            "DiTTransformer2DModel: sample_size must be a number or the same "
            "number twice, got [4,8]");
}

// Stretched positions: of 4x8 cells, every second row and fourth column lie
// where those of the 2x2 cells that it was made for do.
TEST(DiTTransformer2DModel, TakesGridsOfAnotherSize) {
  const torch::NoGradGuard no_grad;
  auto config = small_transformer();
  config.num_embeds_ada_norm = 0;
  DiTTransformer2DModel model(config);
  perturb(*model);
  EXPECT_EQ(model->num_classes(), 0);
  const auto t = torch::tensor({7.f});
  const auto cell = torch::randn({1, 3, 2, 2});
  // Without attention, a cell knows only its own place.
  for (auto& item : model->named_parameters())
    if (item.key().find("attn1.to_out") != std::string::npos)
      item.value().zero_();
  const auto small = model->forward(cell.repeat({1, 1, 2, 2}), t, {});
  const auto large = model->forward(cell.repeat({1, 1, 4, 8}), t, {});
  EXPECT_EQ(large.sizes().vec(), (std::vector<int64_t>{1, 3, 8, 16}));
  const auto at = [](const torch::Tensor& grid, int64_t row, int64_t column) {
    return grid.narrow(2, 2 * row, 2).narrow(3, 2 * column, 2);
  };
  EXPECT_TRUE(torch::allclose(at(large, 2, 4), at(small, 1, 1), 1e-4, 1e-6));
  EXPECT_FALSE(torch::allclose(at(large, 1, 1), at(small, 1, 1), 1e-4, 1e-6));
  EXPECT_THROW(model->forward(torch::zeros({1, 3, 5, 4}), t, {}), ConfigError);
}

// By hand: both maps the identity on one channel of four, x = 2.
TEST(FeedForward, ComputesEachActivationThatDiffusersNames) {
  const torch::NoGradGuard no_grad;
  const auto answer = [](const char* activation) {
    FeedForward ff(1, activation, 0);
    for (auto& item : ff->named_parameters()) {
      item.value().zero_();
      if (!item.key().ends_with("weight")) continue;
      item.value()[0][0] = 1;
      // Of a gated one, the gate is 3 x.
      if (item.value().size(0) == 8) item.value()[4][0] = 3;
    }
    return ff(torch::full({1, 1, 1}, 2.f)).item<double>();
  };
  EXPECT_NEAR(answer("gelu"), 1.9545, 1e-4);
  EXPECT_NEAR(answer("gelu-approximate"), 1.9546, 1e-4);
  EXPECT_NEAR(answer("geglu-approximate"), 2 / (1 + std::exp(-3.404)), 1e-5);
  EXPECT_NEAR(answer("linear-silu"), 2 / (1 + std::exp(-2.)), 1e-5);
  EXPECT_NEAR(answer("geglu"), 12, 1e-4);
  EXPECT_NEAR(answer("swiglu"), 12 / (1 + std::exp(-6.)), 1e-4);
}

TEST(DiTTransformer2DModel, RefusesWhatCannotBe) {
  const auto message = [](const DiTTransformer2DModelConfig& config) {
    try {
      config.validate();
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message(small_transformer()), "");
  auto config = small_transformer();
  config.norm_type = "layer_norm";
  EXPECT_EQ(message(config),
            "DiTTransformer2DModel: norm_type must be one of ada_norm_zero, "
            "got layer_norm");
  config = small_transformer();
  config.num_embeds_ada_norm.reset();
  EXPECT_EQ(message(config),
            "DiTTransformer2DModel: num_embeds_ada_norm must be a number of "
            "classes, 0 for none, got null");
  config = small_transformer();
  config.activation_fn = "relu";
  EXPECT_NE(message(config).find("activation_fn must be one of gelu"),
            std::string::npos);
  DiTTransformer2DModel model(small_transformer());
  EXPECT_THROW(
      model->forward(torch::zeros({1, 3, 4, 4}), torch::tensor({1.f}), {}),
      ShapeError);
}

}  // namespace
}  // namespace calotype
