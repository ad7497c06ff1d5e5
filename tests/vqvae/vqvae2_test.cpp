#include "vqvae/vqvae2.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include "core/error.h"
#include "tests/support/temp_folder.h"
#include "vqvae/vq_training.h"

namespace calotype {
namespace {

using testing::HasSubstr;

VqVae2Config small_vqvae2() {
  return {.in_channels = 1,
          .out_channels = 1,
          .block_out_channels = {8, 16},
          .latent_channels = 3,
          .num_vq_embeddings = 32,
          .norm_num_groups = 4};
}

VqVae2 small_model(const char* kind = "ema") {
  torch::manual_seed(3);
  auto config = small_vqvae2();
  config.quantizer.kind = kind;
  VqVae2 model(config);
  model->eval();
  return model;
}

at::Tensor images() {
  return torch::arange(2 * 16 * 24, torch::kFloat).view({2, 1, 16, 24}).sin();
}

TEST(VqVae2, PutsBothLevelsIntoOneGrid) {
  const torch::NoGradGuard no_grad;
  auto model = small_model();
  EXPECT_EQ(model->downsample(), 4);
  const auto tokens = model->tokenize(images());
  EXPECT_EQ(tokens.sizes(), (std::vector<int64_t>{2, 5, 4, 6}));
  EXPECT_EQ(model->detokenize(tokens).sizes(), images().sizes());
  EXPECT_EQ(model->encode(images()).mean.sizes(),
            (std::vector<int64_t>{2, 15, 4, 6}));
}

TEST(VqVae2, ATokenOfTheBottomMovesItsQuarterOfACell) {
  const torch::NoGradGuard no_grad;
  auto model = small_model();
  const auto tokens = model->tokenize(images());
  const auto before = model->detokenize(tokens);
  /// Row and column of the image around which a change of one token is felt.
  const auto center = [&](int64_t level) {
    auto changed = tokens.clone();
    changed[0][level][2][3] = (changed[0][level][2][3] + 7) % 32;
    const auto felt = (model->detokenize(changed) - before)[0][0].square();
    const auto mean_index = [&](int64_t axis) {
      const auto along = felt.sum(1 - axis);
      return ((torch::arange(along.size(0)) * along).sum() / along.sum())
          .item<double>();
    };
    return std::pair(mean_index(0), mean_index(1));
  };
  const auto [row_right, column_right] = center(2);  // y = 0, x = 1
  const auto [row_below, column_below] = center(3);  // y = 1, x = 0
  EXPECT_GT(row_below, row_right + 0.5);
  EXPECT_GT(column_right, column_below + 0.5);
}

TEST(VqVae2, DecodingItsLatentsIsDecodingItsTokens) {
  const torch::NoGradGuard no_grad;
  for (const char* kind : {"learned", "ema", "lfq", "simvq"}) {
    SCOPED_TRACE(kind);
    auto model = small_model(kind);
    EXPECT_TRUE(torch::allclose(model->decode(model->encode(images()).mean),
                                model->detokenize(model->tokenize(images())),
                                1e-4, 1e-5));
  }
}

TEST(VqVae2, TheBottomSeesTheQuantizedTop) {
  const torch::NoGradGuard no_grad;
  auto model = small_model();
  const auto before = model->encode(images()).mean;
  // Codes of the top move, what the encoder says of the image does not.
  for (auto& item : model->named_buffers())
    if (item.key().starts_with("top_quantize")) item.value().add_(1);
  for (auto& item : model->named_parameters())
    if (item.key().starts_with("top_quantize")) item.value().add_(1);
  const auto after = model->encode(images()).mean;
  EXPECT_TRUE(torch::equal(after.narrow(1, 0, 3), before.narrow(1, 0, 3)));
  EXPECT_FALSE(
      torch::allclose(after.narrow(1, 3, 12), before.narrow(1, 3, 12)));
}

TEST(VqVae2, KeepsItsNumbersThroughSaveAndLoad) {
  const torch::NoGradGuard no_grad;
  const TempFolder folder;
  auto model = small_model();
  save_model_folder(folder.path(), VqVae2Impl::kClassName,
                    write_config(model->config()), weights_of(*model));
  auto loaded = load_vqvae2(open_model_folder(folder.path()));
  EXPECT_TRUE(
      torch::equal(loaded->tokenize(images()), model->tokenize(images())));
}

TEST(VqVae2, LearnsInBothCodebooks) {
  auto model = small_model();
  model->train();
  VqTraining training(model.ptr(), {});
  torch::optim::Adam optimizer(model->parameters(), 3e-3);
  double first = 0, last = 0;
  std::vector<std::string> names;
  for (int64_t step = 0; step < 60; ++step) {
    optimizer.zero_grad();
    const auto losses = training.losses({.data = images(),
                                         .samples = torch::arange(2),
                                         .seed = 1,
                                         .step = step});
    losses.total.backward();
    optimizer.step();
    for (const auto& [name, part] : losses.parts) {
      if (name == "mse") last = part.item<double>();
      if (step == 0) names.push_back(name);
    }
    if (step == 0) first = last;
  }
  EXPECT_LT(last, 0.6 * first);
  EXPECT_THAT(names,
              testing::IsSupersetOf(
                  {"top_commitment", "bottom_commitment", "perplexity"}));
  names.clear();
  for (const auto& [name, tensor] : training.training_state())
    names.push_back(name);
  EXPECT_THAT(names, testing::Contains("top.idle_steps"));
  EXPECT_THAT(names, testing::Contains("bottom.idle_steps"));
}

TEST(VqVae2, RefusesWhatCannotBe) {
  const auto message = [](const VqVae2Config& config) -> std::string {
    try {
      VqVae2 model(config);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "accepted";
  };
  auto config = small_vqvae2();
  config.quantizer.kind = "residual";
  EXPECT_THAT(message(config), HasSubstr("must not be residual"));
  config = small_vqvae2();
  config.quantizer.kind = "fsq";
  EXPECT_THAT(message(config), HasSubstr("CalotypeVQVAE2: quantizer.levels"));
  auto model = small_model();
  EXPECT_THROW(model->tokenize(torch::zeros({1, 1, 16, 18})), ShapeError);
  EXPECT_THROW(model->detokenize(torch::zeros({1, 1, 4, 4}, torch::kLong)),
               ShapeError);
  EXPECT_THROW(model->detokenize(torch::full({1, 5, 4, 4}, 32, torch::kLong)),
               DataError);
}

}  // namespace
}  // namespace calotype
