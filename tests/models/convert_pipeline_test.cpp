#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <string>

#include "core/files.h"
#include "core/note.h"
#include "models/convert/convert.h"
#include "models/registry.h"
#include "nn/model_folder.h"
#include "nn/safetensors.h"
#include "tests/models/original_networks.h"
#include "tests/support/fixtures.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using original::Weights;
using testing::Contains;
using testing::HasSubstr;

constexpr const char* kUnet = "model.diffusion_model.";

const original::Autoencoder kFirstStage{
    .widths = {32}, .attention = {false}, .mid_attention = false};

/// A U-Net's answer, and all that a LatentDiffusion keeps beside it.
class LatentDiffusions : public testing::Test {
 protected:
  void SetUp() override { take_notes(); }

  void make(const original::Unet& unet) {
    weights_ = Weights(21);
    x_ = at::randn({2, 3, 8, 8});
    t_ = at::tensor({7, 930});
    labels_ = at::tensor({1, 0});
    out_ = original::unet(weights_, unet, x_, t_, labels_, kUnet);
    const std::string stage = "first_stage_model.";
    const auto z =
        original::conv(weights_, stage + "quant_conv",
                       original::encoder(weights_, kFirstStage,
                                         at::rand({1, 3, 8, 8}), 3, stage),
                       3, 1, 1, 0);
    weights_.get(stage + "quantize.embedding.weight", {10, 3});
    original::decoder(
        weights_, kFirstStage,
        original::conv(weights_, stage + "post_quant_conv", z, 3, 1, 1, 0),
        stage);
    auto& tensors = weights_.tensors;
    tensors["betas"] =
        at::linspace(std::sqrt(0.0015), std::sqrt(0.0195), 1000, at::kDouble)
            .square()
            .to(at::kFloat);
    tensors["alphas_cumprod"] = (1 - tensors["betas"]).cumprod(0);
    tensors["scale_factor"] = at::scalar_tensor(0.25);
  }

  Conversion convert(const std::string& config,
                     const ConvertOptions& options = {}) {
    write_safetensors(folder_.path() / "model.safetensors",
                      {.tensors = weights_.tensors, .metadata = {}});
    write_file_atomic(folder_.path() / "config.yaml", config);
    return convert_checkpoint(folder_.path() / "model.safetensors", options);
  }

  std::shared_ptr<Denoiser> denoiser(const Conversion& conversion) {
    EXPECT_EQ(conversion.pipeline, "LDMPipeline");
    const auto& part = conversion.models.at(0).second;
    EXPECT_EQ(part.class_name, "UNet2DModel");
    const auto model = find_model_class(part.class_name)->make(part.config);
    load_weights(*model.module, part.weights, "converted");
    model.module->eval();
    return model.denoiser;
  }

  void expect_answer(const Conversion& conversion,
                     const at::Tensor& labels = {}) {
    EXPECT_TRUE(close_to_fixture(
        denoiser(conversion)->forward(x_, t_.to(at::kFloat), labels), out_));
  }

  const torch::NoGradGuard no_grad_;
  TempFolder folder_;
  Weights weights_{0};
  at::Tensor x_, t_, labels_, out_;
};

std::string config_with(const std::string& unet) {
  return fmt::format(
      "model:\n  params:\n    linear_start: 0.0015\n    linear_end: 0.0195\n"
      "    unet_config: {{params: {{image_size: 8, {}}}}}\n",
      unet);
}

TEST_F(LatentDiffusions, BecomeAPipeline) {
  make({.widths = {32, 64, 64},
        .num_blocks = 2,
        .attention = {false, true, true}});
  const auto conversion = convert(config_with("num_head_channels: 16"));
  expect_answer(conversion);
  EXPECT_EQ(conversion.models.at(0).second.config["attention_head_dim"], 16);
  const auto& codec = conversion.models.at(1).second;
  EXPECT_EQ(conversion.models.at(1).first, "vqvae");
  EXPECT_EQ(codec.class_name, "VQModel");
  EXPECT_EQ(codec.config["scaling_factor"], 0.25);
  const auto& schedule = conversion.scheduler->schedule;
  EXPECT_EQ(conversion.scheduler->class_name, "DDIMScheduler");
  EXPECT_EQ(schedule.beta_schedule, "scaled_linear");
  EXPECT_EQ(schedule.beta_start, 0.0015);
  EXPECT_EQ(schedule.beta_end, 0.0195);
  EXPECT_EQ(schedule.prediction_type, "epsilon");
  EXPECT_FALSE(schedule.clip_sample);

  write_conversion(folder_.path() / "out", conversion);
  EXPECT_EQ(read_json_file(folder_.path() / "out" / "model_index.json"),
            Json({{"_class_name", "LDMPipeline"},
                  {"scheduler", {"diffusers", "DDIMScheduler"}},
                  {"unet", {"diffusers", "UNet2DModel"}},
                  {"vqvae", {"diffusers", "VQModel"}}}));
  EXPECT_EQ(read_scheduler_config(folder_.path() / "out" / "scheduler" /
                                  "scheduler_config.json")
                .schedule.beta_end,
            0.0195);
  const auto again = convert_checkpoint(folder_.path() / "out", {});
  expect_answer(again);
}

TEST_F(LatentDiffusions, TakeTheAverageOfTheUnet) {
  make({.widths = {32, 32}, .attention = {false, true}});
  auto& tensors = weights_.tensors;
  std::map<std::string, at::Tensor> averages;
  for (auto& [name, tensor] : tensors) {
    if (!name.starts_with(kUnet)) continue;
    auto mangled = name.substr(std::string("model.").size());
    std::erase(mangled, '.');
    averages["model_ema." + mangled] = tensor;
    tensor = at::randn_like(tensor);
  }
  averages["model_ema.num_updates"] = at::scalar_tensor(7, at::kInt);
  tensors.merge(averages);
  const auto config = config_with("num_heads: 2");
  expect_answer(convert(config));
  EXPECT_THAT(take_notes(), Contains(HasSubstr("moving average is taken")));
  const auto plain = convert(config, {.weights = "plain"});
  EXPECT_TRUE(torch::equal(
      plain.models.at(0).second.weights.tensors.at("conv_in.weight"),
      tensors.at(std::string(kUnet) + "input_blocks.0.0.weight")));
}

TEST_F(LatentDiffusions, OfOtherUnets) {
  make({.widths = {32, 64},
        .attention = {true, false},
        .new_order = true,
        .scale_shift = true});
  expect_answer(
      convert(config_with("num_head_channels: 16, use_scale_shift_norm: true, "
                          "use_new_attention_order: true")));
  make({.widths = {32}, .attention = {false}, .num_classes = 3});
  expect_answer(convert(config_with("num_heads: 2")), labels_);
}

TEST_F(LatentDiffusions, TellTheirScheduleThemselvesWithoutAConfiguration) {
  make({.widths = {32}, .attention = {false}});
  weights_.tensors["betas"] = weights_.tensors["betas"].to(at::kHalf);
  write_safetensors(folder_.path() / "model.safetensors",
                    {.tensors = weights_.tensors, .metadata = {}});
  const auto conversion = convert_checkpoint(
      folder_.path() / "model.safetensors", {.head_channels = 16});
  expect_answer(conversion);
  const auto& schedule = conversion.scheduler->schedule;
  EXPECT_EQ(schedule.beta_schedule, "scaled_linear");
  EXPECT_EQ(schedule.beta_start, 0.0015);
  EXPECT_EQ(schedule.beta_end, 0.0195);
}

TEST_F(LatentDiffusions, KeepTheirFirstStageWhereTheUnetHasNoClass) {
  make({.widths = {32}, .attention = {false}});
  auto& tensors = weights_.tensors;
  tensors[std::string(kUnet) +
          "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"] =
      at::zeros({2, 2});
  tensors["cond_stage_model.embedding.weight"] = at::zeros({4, 2});
  const auto conversion = convert(config_with("num_heads: 2"));
  EXPECT_EQ(conversion.kind.name, "ldm_class_conditional");
  EXPECT_EQ(conversion.pipeline, "");
  EXPECT_EQ(conversion.models.at(0).second.class_name, "VQModel");
  EXPECT_TRUE(conversion.left_over.empty());
  const auto notes = take_notes();
  EXPECT_THAT(notes, Contains(HasSubstr("whose U-Net has cross-attention")));
  EXPECT_THAT(notes, Contains(HasSubstr("cond_stage_model.* (1 tensor)")));
}

TEST_F(LatentDiffusions, SayWhatTheyNeedToBeTold) {
  make({.widths = {32, 64}, .attention = {true, true}});
  const auto message = [&](const std::string& config) {
    return message_of<ConfigError>([&] { convert(config); });
  };
  EXPECT_THAT(message(config_with("num_res_blocks: 1")),
              HasSubstr("how the U-Net's attention is divided into heads is "
                        "not in the file"));
  EXPECT_THAT(message("model: {params: {linear_end: 0.02, unet_config: "
                      "{params: {num_head_channels: 16}}}}"),
              HasSubstr("do not give the betas of"));
  // Heads of several sizes are no UNet2DModel: the first stage is left.
  EXPECT_EQ(convert(config_with("num_heads: 2")).models.size(), 1u);
  EXPECT_THAT(take_notes(), Contains(HasSubstr("heads have several sizes")));
}

}  // namespace
}  // namespace calotype
