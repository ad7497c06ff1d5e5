#include "models/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/error.h"
#include "denoisers/unet2d_model.h"
#include "diffusion/denoiser.h"
#include "nn/precision.h"
#include "tests/support/message_of.h"
#include "tests/support/rows_alone.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

/// Keys of a small model of the class.
Json smallest(const std::string& class_name) {
  const Json conv{{"block_out_channels", {8}},
                  {"layers_per_block", 1},
                  {"norm_num_groups", 4}};
  auto with = [&](const Json& more) {
    auto keys = conv;
    keys.update(more);
    return keys;
  };
  if (class_name == "UNet2DModel")
    return with({{"down_block_types", {"DownBlock2D"}},
                 {"up_block_types", {"UpBlock2D"}}});
  if (class_name == "AutoencoderKL" || class_name == "VQModel")
    return with({{"down_block_types", {"DownEncoderBlock2D"}},
                 {"up_block_types", {"UpDecoderBlock2D"}}});
  if (class_name == "CalotypeMAGVIT2") return with({{"latent_channels", 3}});
  if (class_name == "AsymmetricAutoencoderKL")
    return {{"down_block_out_channels", {8}},
            {"up_block_out_channels", {4}},
            {"norm_num_groups", 4}};
  if (class_name == "AutoencoderDC")
    return {{"latent_channels", 4},
            {"encoder_block_out_channels", {4, 4}},
            {"decoder_block_out_channels", {4, 4}},
            {"encoder_layers_per_block", {1, 1}},
            {"decoder_layers_per_block", {1, 1}},
            {"encoder_qkv_multiscales", {Json::array(), Json::array()}},
            {"decoder_qkv_multiscales", {Json::array(), Json::array()}}};
  if (class_name == "AutoencoderTiny")
    return {{"encoder_block_out_channels", {4, 4}},
            {"decoder_block_out_channels", {4, 4}},
            {"num_encoder_blocks", {1, 1}},
            {"num_decoder_blocks", {1, 1}}};
  if (class_name == "DiTTransformer2DModel")
    return {{"num_attention_heads", 2},
            {"attention_head_dim", 4},
            {"num_layers", 1}};
  if (class_name == "CalotypeDiT")
    return {{"hidden_size", 8}, {"num_attention_heads", 2}, {"num_layers", 1}};
  if (class_name == "CalotypeMaskedGenerator")
    return {{"num_codes", 8},          {"num_levels", 1}, {"grid_height", 2},
            {"grid_width", 2},         {"width", 8},      {"num_layers", 1},
            {"num_attention_heads", 2}};
  if (class_name == "CalotypeClassifier")
    return {{"channels", {8}}, {"sample_size", 4}};
  return Json::object();
}

const ModelClass& class_of(const std::string& name) {
  return *find_model_class(name);
}

bool is_denoiser(const ModelClass& known) {
  return known.kind == ModelKind::kDenoiser;
}

std::vector<std::string> denoiser_classes() {
  std::vector<std::string> names;
  for (const auto& known : model_classes())
    if (is_denoiser(known)) names.push_back(known.name);
  return names;
}

AnyModel make_denoiser(const std::string& name, Json keys,
                       const LatentShape& latents) {
  class_of(name).fit(keys, latents);
  return class_of(name).make(keys);
}

std::shared_ptr<Denoiser> load_denoiser(const ModelFolder& folder) {
  return load_any_model(folder, "a denoiser", is_denoiser).denoiser;
}

TEST(ModelRegistry, EveryClassIsMadeAndComesBackFromItsFolder) {
  ASSERT_EQ(model_classes().size(), 13u);
  for (const auto& known : model_classes()) {
    SCOPED_TRACE(known.name);
    EXPECT_EQ(&class_of(known.name), &known);
    const auto made = known.make(smallest(known.name));
    TempFolder folder;
    auto config = made.config;
    config.update(made.notes);
    save_model_folder(folder.path(), known.name, config,
                      weights_of(*made.module));
    const auto loaded = known.load(open_model_folder(folder.path()));
    EXPECT_EQ(loaded.config, made.config);
    EXPECT_EQ(known.complete(made.config, "test"), made.config);
    const auto before = made.module->parameters(),
               after = loaded.module->parameters();
    ASSERT_EQ(before.size(), after.size());
    for (size_t i = 0; i < before.size(); ++i)
      EXPECT_TRUE(torch::equal(before[i], after[i]));
    for (const auto& model : {made, loaded}) {
      EXPECT_EQ(model.codec != nullptr, is_codec(known.kind));
      EXPECT_EQ(model.tokenizer != nullptr,
                known.kind == ModelKind::kTokenizer);
      EXPECT_EQ(model.denoiser != nullptr, known.kind == ModelKind::kDenoiser);
      EXPECT_EQ(model.generator != nullptr,
                known.kind == ModelKind::kGenerator);
      EXPECT_EQ(model.classifier != nullptr,
                known.kind == ModelKind::kClassifier);
    }
    if (made.codec) {
      EXPECT_EQ(known.has_prior, made.codec->prior_size().has_value());
    }
  }
}

TEST(ModelRegistry, EveryClassButADenoiserSaysHowItLearns) {
  for (const auto& known : model_classes()) {
    SCOPED_TRACE(known.name);
    EXPECT_EQ(known.trainable == nullptr, is_denoiser(known));
    EXPECT_EQ(known.fit != nullptr, is_denoiser(known));
    EXPECT_EQ(known.complete_loss == nullptr,
              is_denoiser(known) || known.kind == ModelKind::kClassifier);
    if (!known.trainable) continue;
    const auto model = known.make(smallest(known.name));
    const auto loss = known.complete_loss
                          ? known.complete_loss(Json::object(), "loss")
                          : Json();
    EXPECT_EQ(&known.trainable(model, loss)->module(), model.module.get());
    if (known.complete_loss) {
      EXPECT_THROW(known.complete_loss({{"no_such_key", 1}}, "loss"),
                   ConfigError);
    }
  }
}

TEST(ModelRegistry, NamesWhatThereIs) {
  EXPECT_EQ(find_model_class("Transformer2DModel"),
            find_model_class("DiTTransformer2DModel"));
  EXPECT_EQ(find_model_class(""), nullptr);
  EXPECT_EQ(message_of<ConfigError>([] {
              configured_class({{"_class_name", "Autoencoder"}});
            }),
            "config: model._class_name must be one of AutoencoderKL, "
            "AsymmetricAutoencoderKL, AutoencoderDC, AutoencoderTiny, "
            "CalotypeAutoencoder, "
            "VQModel, CalotypeVQVAE2, CalotypeMAGVIT2, "
            "UNet2DModel, DiTTransformer2DModel, CalotypeDiT, "
            "CalotypeMaskedGenerator, CalotypeClassifier, got \"Autoencoder\"");
}

TEST(ModelRegistry, DenoisersAreMadeToFitLatents) {
  const torch::NoGradGuard no_grad;
  for (const auto& name : denoiser_classes()) {
    SCOPED_TRACE(name);
    const auto made = make_denoiser(
        name, smallest(name), {.grid_shape = {5, 4, 6}, .num_classes = 3});
    EXPECT_EQ(made.denoiser->num_classes(), 3);
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

TEST(ModelRegistry, DenoisersAnswerASampleTheSameInAnyBatch) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  for (const auto& name : denoiser_classes()) {
    SCOPED_TRACE(name);
    const auto made = make_denoiser(
        name, smallest(name), {.grid_shape = {5, 4, 6}, .num_classes = 3});
    auto& module = made.denoiser->module();
    module.eval();
    for (auto& parameter : module.parameters())
      parameter.add_(0.2 * torch::randn_like(parameter));
    const auto x = torch::randn({48, 5, 4, 6});
    const auto t = torch::rand({48}) * 999;
    const auto labels = torch::randint(4, {48});
    const auto answer = [&](const at::Tensor& rows) {
      return denoise(*made.denoiser, x.index_select(0, rows),
                     t.index_select(0, rows), labels.index_select(0, rows));
    };
    const auto all = torch::arange(48);
    expect_rows_alone(all, answer);
    const auto exact = answer(all);
    const PrecisionScope bf16(Precision::kBf16);
    expect_rows_alone(all, answer);
    EXPECT_LT((answer(all) - exact).norm().item<double>(),
              0.03 * exact.norm().item<double>());
  }
}

TEST(ModelRegistry, DenoisersDoWithoutClasses) {
  const torch::NoGradGuard no_grad;
  for (const auto& name : denoiser_classes()) {
    SCOPED_TRACE(name);
    const auto made =
        make_denoiser(name, smallest(name), {.grid_shape = {2, 4, 4}});
    EXPECT_EQ(made.denoiser->num_classes(), 0);
    const auto out = made.denoiser->forward(torch::randn({1, 2, 4, 4}),
                                            torch::tensor({3.f}), {});
    EXPECT_TRUE(out.isfinite().all().item<bool>());
  }
}

TEST(ModelRegistry, DenoisersKeepWhatTheConfigurationSays) {
  auto config = smallest("UNet2DModel");
  config["out_channels"] = 4;
  config["num_class_embeds"] = 9;
  const auto made = make_denoiser("UNet2DModel", config,
                                  {.grid_shape = {2, 4, 4}, .num_classes = 3});
  EXPECT_EQ(made.config["in_channels"], 2);
  EXPECT_EQ(made.config["out_channels"], 4);
  EXPECT_EQ(made.denoiser->num_classes(), 8);
}

// A fixture of such a network shows that its numbers are right all the same.
TEST(ModelRegistry, ADenoiserOfAClassThatNothingCanChooseIsRefused) {
  auto config = smallest("UNet2DModel");
  config["class_embed_type"] = "timestep";
  EXPECT_THAT(message_of<ConfigError>([&] {
                make_denoiser("UNet2DModel", config, {.grid_shape = {2, 4, 4}});
              }),
              testing::StartsWith(
                  "model: class_embed_type must be null, got \"timestep\""));
  TempFolder folder;
  UNet2DModelConfig read;
  read_config(config, read, "test");
  UNet2DModel model(read);
  save_model_folder(folder.path(), "UNet2DModel", config, weights_of(*model));
  EXPECT_THAT(message_of<ConfigError>(
                  [&] { load_denoiser(open_model_folder(folder.path())); }),
              testing::HasSubstr("config.json: class_embed_type must be null"));
}

TEST(ModelRegistry, OtherClassesAndUnknownKeysAreRefused) {
  EXPECT_THROW(
      make_denoiser("UNet2DModel", {{"depth", 3}}, {.grid_shape = {2, 4, 4}}),
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
