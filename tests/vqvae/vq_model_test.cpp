#include "vqvae/vq_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/files.h"
#include "images/image_io.h"
#include "nn/safetensors.h"
#include "tests/support/fixtures.h"
#include "tests/support/rows_alone.h"
#include "tests/support/temp_folder.h"
#include "vqvae/vq_training.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

VQModelConfig small_config() {
  return {.in_channels = 1,
          .out_channels = 1,
          .down_block_types = {"DownEncoderBlock2D", "DownEncoderBlock2D"},
          .up_block_types = {"UpDecoderBlock2D", "UpDecoderBlock2D"},
          .block_out_channels = {8, 16},
          .latent_channels = 3,
          .num_vq_embeddings = 32,
          .norm_num_groups = 4};
}

std::string refusal(const VQModelConfig& config) {
  try {
    VQModel model(config);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

at::Tensor squeeze_level(const at::Tensor& tokens) {
  return tokens.squeeze(1);
}

// The numbers are diffusers' (tests/fixtures): any folder of that form is
// tested.
TEST(VQModel, ComputesWhatTheReferenceComputes) {
  const torch::NoGradGuard no_grad;
  const auto folders = fixture_models("VQModel");
  ASSERT_FALSE(folders.empty());
  for (const auto& path : folders) {
    SCOPED_TRACE(path.string());
    auto model = load_vq_model(open_model_folder(path));
    const auto io = read_safetensors(path / "io.safetensors").tensors;
    const auto latents = model->encode(io.at("x")).mean;
    EXPECT_TRUE(close_to_fixture(latents, io.at("latents")));
    const auto quantized = model->quantize(io.at("latents"));
    EXPECT_TRUE(torch::equal(squeeze_level(quantized.indices),
                             io.at("indices").to(torch::kLong)));
    EXPECT_TRUE(close_to_fixture(quantized.vectors, io.at("quantized")));
    EXPECT_TRUE(
        close_to_fixture(model->decode(io.at("latents")), io.at("decoded")));
    EXPECT_TRUE(close_to_fixture(
        model->detokenize(io.at("indices").to(torch::kLong).unsqueeze(1)),
        io.at("decoded")));
  }
}

// diffusers weighs the codebook's term; the reference's loss is that one.
TEST(VQModel, LegacyBetaGivesTheLossOfTheReference) {
  const torch::NoGradGuard no_grad;
  for (const auto& path : fixture_models("VQModel")) {
    const auto folder = open_model_folder(path);
    auto config = read_model_config<VQModelConfig>(folder);
    config.quantizer.legacy_beta = true;
    VQModel model(config);
    load_weights(*model, folder);
    const auto io = read_safetensors(path / "io.safetensors").tensors;
    EXPECT_TRUE(close_to_fixture(
        model->quantize(io.at("latents")).loss.view({1}), io.at("loss")));
  }
}

TEST(VQModel, TakesImageFilesToTheBytesOfTheReference) {
  const torch::NoGradGuard no_grad;
  int num_checked = 0;
  for (const auto& path : fixture_models("VQModel")) {
    if (!fs::exists(path / "expected_images.safetensors")) continue;
    SCOPED_TRACE(path.string());
    auto model = load_vq_model(open_model_folder(path));
    const auto expected =
        read_safetensors(path / "expected_images.safetensors").tensors;
    for (int64_t i = 0; i < expected.at("indices").size(0); ++i) {
      const auto file = path / "images" / fmt::format("{}.png", i);
      const auto image =
          to_tensor(decode_image(read_file(file), file.string())).unsqueeze(0);
      const auto tokens = model->tokenize(image);
      EXPECT_TRUE(torch::equal(tokens[0][0],
                               expected.at("indices")[i].to(torch::kLong)));
      const auto decoded = to_image(model->detokenize(tokens)[0]);
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

// Latent diffusion's vq-f4: 205 tensors, 55,322,782 numbers.
TEST(VQModel, HasTheSizeOfLatentDiffusionsF4) {
  VQModel model(VQModelConfig{.down_block_types = {3, "DownEncoderBlock2D"},
                              .up_block_types = {3, "UpDecoderBlock2D"},
                              .block_out_channels = {128, 256, 512},
                              .layers_per_block = 2,
                              .num_vq_embeddings = 8192});
  int64_t count = 0;
  for (const auto& parameter : model->parameters()) count += parameter.numel();
  EXPECT_EQ(count, 55'322'782);
  EXPECT_EQ(model->parameters().size(), 205u);
}

TEST(VQModel, SpatialNormsAndAttentionHaveTheReferencesNames) {
  auto config = small_config();
  config.block_out_channels = {32, 64};
  config.norm_type = "spatial";
  config.up_block_types = {"AttnUpDecoderBlock2D", "UpDecoderBlock2D"};
  config.down_block_types = {"DownEncoderBlock2D", "AttnDownEncoderBlock2D"};
  VQModel model(config);
  const auto parameters = model->named_parameters();
  for (const char* name :
       {"decoder.mid_block.resnets.0.norm1.norm_layer.weight",
        "decoder.mid_block.attentions.0.spatial_norm.conv_y.weight",
        "decoder.up_blocks.0.attentions.1.to_out.0.bias",
        "decoder.up_blocks.1.resnets.1.norm2.conv_b.bias",
        "decoder.conv_norm_out.norm_layer.bias",
        "encoder.down_blocks.1.attentions.0.group_norm.weight",
        "encoder.conv_norm_out.weight"})
    EXPECT_TRUE(parameters.contains(name)) << name;
  const torch::NoGradGuard no_grad;
  const auto images = torch::rand({2, 1, 12, 8}) * 2 - 1;
  const auto tokens = model->tokenize(images);
  EXPECT_EQ(tokens.sizes(), (std::vector<int64_t>{2, 1, 6, 4}));
  EXPECT_EQ(model->detokenize(tokens).sizes(), images.sizes());
}

TEST(VQModel, DecodingItsLatentsIsDecodingItsTokens) {
  const torch::NoGradGuard no_grad;
  for (const char* kind : {"learned", "ema", "residual", "lfq", "simvq"}) {
    SCOPED_TRACE(kind);
    auto config = small_config();
    config.quantizer.kind = kind;
    VQModel model(config);
    model->eval();
    const auto images = torch::rand({2, 1, 12, 8}) * 2 - 1;
    EXPECT_TRUE(torch::allclose(model->decode(model->encode(images).mean),
                                model->detokenize(model->tokenize(images)),
                                1e-4, 1e-5));
  }
}

TEST(VQModel, KeepsItsNumbersThroughSaveAndLoad) {
  const torch::NoGradGuard no_grad;
  for (const char* kind : {"learned", "ema", "cosine", "residual", "simvq"}) {
    SCOPED_TRACE(kind);
    TempFolder folder;
    auto config = small_config();
    config.quantizer.kind = kind;
    VQModel model(config);
    save_model_folder(folder.path(), VQModelImpl::kClassName,
                      write_config(model->config()), weights_of(*model));
    auto loaded = load_vq_model(open_model_folder(folder.path()));
    const auto images = torch::rand({2, 1, 12, 8}) * 2 - 1;
    EXPECT_TRUE(
        torch::equal(loaded->tokenize(images), model->tokenize(images)));
  }
}

TEST(VQModel, RefusesWhatCannotBe) {
  auto config = small_config();
  config.quantizer.kind = "fsq";
  EXPECT_EQ(refusal(config),
            "VQModel: quantizer.levels make 512 codes, num_vq_embeddings is "
            "32");
  config = small_config();
  config.up_block_types = {"UpDecoderBlock2D", "DownEncoderBlock2D"};
  EXPECT_THAT(refusal(config), HasSubstr("up_block_types"));
  config = small_config();
  config.norm_type = "spatial";
  config.vq_embed_dim = 2;
  EXPECT_THAT(refusal(config), HasSubstr("needs vq_embed_dim"));
}

TEST(VQModel, CodesAnImageTheSameInAnyBatch) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  VQModel model(small_config());
  model->eval();
  const auto images = torch::rand({48, 1, 12, 8}) * 2 - 1;
  expect_rows_alone(images,
                    [&](const at::Tensor& x) { return model->encode(x).mean; });
  expect_rows_alone(model->tokenize(images), [&](const at::Tensor& tokens) {
    return model->detokenize(tokens);
  });
}

TEST(VQModel, NamesAnEncoderThatIsNotFinite) {
  VQModel model(small_config());
  EXPECT_THROW(model->tokenize(torch::full({1, 1, 4, 4}, std::nan(""))),
               NumericError);
}

TEST(VqTraining, LearnsAndWatchesTheCodebook) {
  torch::manual_seed(1);
  auto config = small_config();
  config.quantizer.kind = "ema";
  VQModel model(config);
  VqTraining training(model.ptr(), {});
  torch::optim::Adam optimizer(model->parameters(), 3e-3);
  const auto images = torch::rand({8, 1, 8, 8}) * 2 - 1;
  double first = 0, last = 0, value = 0;
  for (int64_t step = 0; step < 60; ++step) {
    optimizer.zero_grad();
    const auto losses = training.losses(
        {.data = images, .samples = torch::arange(8), .seed = 1, .step = step});
    losses.total.backward();
    optimizer.step();
    for (const auto& [name, part] : losses.parts) {
      if (name == "mse") last = part.item<double>();
      if (name == "perplexity") value = part.item<double>();
    }
    if (step == 0) first = last;
  }
  EXPECT_LT(last, 0.7 * first);
  EXPECT_GT(value, 8);
}

TEST(CodebookHealth, CountsWhatWasUsedInTheWindow) {
  CodebookHealth health(4, {0});
  const auto codes = torch::tensor({{0}, {1}});
  for (int64_t step = 0; step < CodebookHealth::kWindow; ++step)
    for (int64_t batch = 0; batch < 2; ++batch) health.observe(codes, step);
  EXPECT_NEAR(health.perplexity(), 2, 1e-5);
  EXPECT_EQ(health.num_dead(), 2);
  EXPECT_EQ(health.usage(), 0.5);
}

TEST(CodebookHealth, WarnsOnceTheCodebookHasCollapsed) {
  CodebookHealth health(100, {0});
  int64_t step = 0;
  while (step < 4 * CodebookHealth::kWindow)
    health.observe(torch::tensor({{3}}), step++);
  EXPECT_EQ(health.warning(), "");
  while (step < 5 * CodebookHealth::kWindow)
    health.observe(torch::tensor({{3}}), step++);
  EXPECT_THAT(health.warning(), HasSubstr("1 of 100 codes do all the work"));
}

TEST(Perplexity, IsTheNumberOfCodesUsedAlike) {
  EXPECT_NEAR(perplexity(torch::tensor({5., 5., 0., 5., 5.})), 4, 1e-9);
}

}  // namespace
}  // namespace calotype
