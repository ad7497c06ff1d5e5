#include "vae/autoencoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/error.h"
#include "tests/support/rows_alone.h"
#include "tests/support/temp_folder.h"
#include "vae/dense_network.h"
#include "vae/masked_network.h"

namespace calotype {
namespace {

using testing::HasSubstr;

std::vector<CalotypeAutoencoderConfig> members() {
  const CalotypeAutoencoderConfig small{
      .sample_size = 8, .hidden = {12}, .latent_channels = 3};
  auto linear = small, tied = small, vae = small, conv = small, grid = small,
       masked = small, bernoulli = small, sigma = small;
  linear.hidden = {};
  tied.tied = true;
  vae.variational = true;
  conv.network = grid.network = "conv";
  conv.hidden = {4, 6};
  conv.in_channels = grid.in_channels = 2;
  grid.code_grid = true;
  grid.variational = true;
  masked.network = "masked";
  masked.width = masked.decoder_width = 16;
  masked.num_layers = masked.decoder_layers = 1;
  bernoulli.reconstruction = "bce";
  sigma.reconstruction = "gaussian";
  return {small, linear, tied, vae, conv, grid, masked, bernoulli, sigma};
}

std::string refusal(const CalotypeAutoencoderConfig& config) {
  try {
    CalotypeAutoencoder model(config);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(CalotypeAutoencoder, EveryMemberCodesAnImageTheSameInAnyBatch) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  auto all = members();
  for (const char* activation : {"tanh", "sigmoid", "gelu", "mish"}) {
    all.push_back(members().front());
    all.back().act_fn = activation;
  }
  for (const auto& config : all) {
    CalotypeAutoencoder model(config);
    model->eval();
    const auto images = torch::rand({48, config.in_channels, 8, 8}) * 2 - 1;
    expect_rows_alone(images, [&](const at::Tensor& x) {
      const auto grid = model->encode(x);
      return grid.logvar.defined() ? torch::cat({grid.mean, grid.logvar}, 1)
                                   : grid.mean;
    });
    expect_rows_alone(model->encode(images).mean,
                      [&](const at::Tensor& z) { return model->decode(z); });
  }
}

TEST(CalotypeAutoencoder, EveryMemberGivesItsShapesBack) {
  const torch::NoGradGuard no_grad;
  for (const auto& config : members()) {
    CalotypeAutoencoder model(config);
    const auto images = torch::rand({2, config.in_channels, 8, 8}) * 2 - 1;
    const auto grid = model->encode(images);
    const auto edge = 8 / model->downsample();
    EXPECT_EQ(grid.mean.sizes(), (at::IntArrayRef{2, 3, edge, edge}));
    EXPECT_EQ(grid.logvar.defined(), config.variational);
    EXPECT_EQ(model->decode(grid.mean).sizes(), images.sizes());
    EXPECT_EQ(model->code_size(), 3 * edge * edge);
  }
}

TEST(CalotypeAutoencoder, ComesBackFromItsFolderBitForBit) {
  const torch::NoGradGuard no_grad;
  for (const auto& config : members()) {
    const TempFolder folder;
    CalotypeAutoencoder model(config);
    save_model_folder(folder.path(), CalotypeAutoencoderImpl::kClassName,
                      write_config(config), weights_of(*model));
    auto again = load_calotype_autoencoder(open_model_folder(folder.path()));
    const auto images = torch::rand({2, config.in_channels, 8, 8});
    const auto code = model->encode(images).mean;
    EXPECT_TRUE(torch::equal(again->encode(images).mean, code));
    EXPECT_TRUE(torch::equal(again->decode(code), model->decode(code)));
  }
}

TEST(CalotypeAutoencoder, LinearIsItsMatrices) {
  const torch::NoGradGuard no_grad;
  CalotypeAutoencoder model(members()[1]);
  const auto images = torch::rand({2, 1, 8, 8});
  const auto p = model->named_parameters();
  const auto code =
      images.flatten(1).matmul(p["encoder.0.weight"].t()) + p["encoder.0.bias"];
  const auto out = code.matmul(p["decoder.0.weight"].t()) + p["decoder.0.bias"];
  const auto grid = model->encode(images);
  EXPECT_TRUE(torch::allclose(grid.mean.flatten(1), code, 1e-5, 1e-6));
  EXPECT_TRUE(
      torch::allclose(model->decode(grid.mean).flatten(1), out, 1e-5, 1e-6));
}

TEST(CalotypeAutoencoder, TiedDecoderIsTheEncoderTransposed) {
  const torch::NoGradGuard no_grad;
  CalotypeAutoencoder model(members()[2]);
  const auto p = model->named_parameters();
  EXPECT_EQ(p.size(), 6);  // two weights, two biases each way
  const auto code = torch::rand({2, 3, 1, 1});
  const auto hidden = torch::relu(
      code.flatten(1).matmul(p["encoder.1.weight"]) + p["decoder.bias_0"]);
  const auto out = hidden.matmul(p["encoder.0.weight"]) + p["decoder.bias_1"];
  EXPECT_TRUE(torch::allclose(model->decode(code).flatten(1), out, 1e-5, 1e-6));
}

TEST(CalotypeAutoencoder, GridCodesTakeAnyMultipleOfTheirStep) {
  const torch::NoGradGuard no_grad;
  CalotypeAutoencoder model(members()[5]);  // one level
  EXPECT_EQ(model->fixed_size(), std::nullopt);
  const auto grid = model->encode(torch::zeros({1, 2, 6, 10}));
  EXPECT_EQ(grid.mean.sizes(), (at::IntArrayRef{1, 3, 3, 5}));
}

TEST(CalotypeAutoencoder, ConvolutionalVectorCodeSeesTheWholeImage) {
  torch::manual_seed(1);
  CalotypeAutoencoder model(members()[4]);
  auto images = torch::rand({1, 2, 8, 8}).requires_grad_(true);
  model->encode(images).mean[0][0][0][0].backward();
  // From every quarter; ReLUs may hide single pixels.
  for (const int64_t y : {0, 4})
    for (const int64_t x : {0, 4}) {
      const auto quarter = images.grad().narrow(2, y, 4).narrow(3, x, 4);
      EXPECT_GT(quarter.abs().max().item<float>(), 0) << y << "," << x;
    }
}

TEST(CalotypeAutoencoder, RefusesSettingsThatWouldBeIgnored) {
  const auto base = members()[0];
  auto config = base;
  config.network = "conv";
  config.tied = true;
  EXPECT_THAT(refusal(config), HasSubstr("tied needs a dense network"));
  config = base;
  config.code_grid = true;
  EXPECT_THAT(refusal(config), HasSubstr("code_grid needs a conv network"));
  config = base;
  config.network = "conv";
  config.hidden = {4, 4, 4, 4};
  EXPECT_THAT(refusal(config),
              HasSubstr("sample_size must be a multiple of 16"));
  config = base;
  config.variational = true;
  config.code_act_fn = "relu";
  EXPECT_THAT(refusal(config), HasSubstr("variational needs code_act_fn none"));
  config = base;
  config.reconstruction = "hinge";
  EXPECT_THAT(refusal(config), HasSubstr("got hinge"));
  config = base;
  config.network = "masked";
  config.patch_size = 3;
  EXPECT_THAT(refusal(config), HasSubstr("a multiple of patch_size"));
  CalotypeAutoencoder model(base);
  EXPECT_THROW(model->encode(torch::zeros({1, 1, 9, 9})), ShapeError);
}

TEST(MaskedNetwork, HiddenPatchesAreNotSeen) {
  const torch::NoGradGuard no_grad;
  CalotypeAutoencoder model(members()[6]);
  auto& network = dynamic_cast<MaskedNetwork&>(model->network());
  const auto visible = torch::tensor({{0, 3}});  // of 2 x 2 patches of 4 x 4
  const auto images = torch::rand({1, 1, 8, 8});
  auto changed = images.clone();
  changed.slice(2, 0, 4).slice(3, 4, 8).fill_(0.5);  // patch 1
  EXPECT_TRUE(torch::equal(network.complete(images, visible),
                           network.complete(changed, visible)));
  changed = images.clone();
  changed.slice(2, 0, 4).slice(3, 0, 4).fill_(0.5);  // patch 0
  EXPECT_FALSE(torch::equal(network.complete(images, visible),
                            network.complete(changed, visible)));
}

TEST(MaskedNetwork, AllVisibleIsEncodeAndDecode) {
  const torch::NoGradGuard no_grad;
  CalotypeAutoencoder model(members()[6]);
  auto& network = dynamic_cast<MaskedNetwork&>(model->network());
  const auto images = torch::rand({2, 1, 8, 8});
  const auto all = torch::arange(4).expand({2, 4});
  EXPECT_TRUE(torch::allclose(network.complete(images, all),
                              model->decode(model->encode(images).mean), 1e-5,
                              1e-6));
}

TEST(MaskedNetwork, VisiblePatchesAreARandomSubset) {
  const auto visible = visible_patches(49, 0.75, torch::arange(200), 1, 0);
  EXPECT_EQ(visible.sizes(), (at::IntArrayRef{200, 12}));
  // Sorted, and no patch twice.
  EXPECT_TRUE(
      (visible.slice(1, 1) > visible.slice(1, 0, -1)).all().item<bool>());
  const auto counts = torch::bincount(visible.flatten(), {}, 49);
  EXPECT_GT(counts.min().item<int64_t>(), 20);  // 49 expected of each
  EXPECT_EQ(visible_patches(4, 0.99, torch::arange(2), 1, 0).size(1), 1);
}

}  // namespace
}  // namespace calotype
