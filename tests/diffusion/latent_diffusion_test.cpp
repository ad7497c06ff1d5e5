#include "diffusion/latent_diffusion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"
#include "core/files.h"
#include "denoisers/unet2d_model.h"
#include "tests/diffusion/toy_denoiser.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::HasSubstr;

LatentDiffusion toy_model(int64_t num_classes = 3) {
  return {std::make_shared<ConvDenoiserImpl>(2, num_classes), {}, toy_space()};
}

GenerateRequest four_latents() {
  GenerateRequest request;
  request.samples = torch::tensor({5, 900, 31, 6}, torch::kLong);
  request.classes = torch::tensor({0, 2, -1, 1}, torch::kLong);
  request.seed = 17;
  request.num_steps = 5;
  request.guidance.scale = 2;
  return request;
}

TEST(LatentDiffusion, ALatentDoesNotDependOnItsBatch) {
  auto model = toy_model();
  for (const auto* sampler : {"ddpm", "ddim"}) {
    auto request = four_latents();
    request.sampler = sampler;
    request.sampler_options.eta = request.sampler == "ddim" ? 0.5 : 0;
    const auto all = model.generate(request);
    EXPECT_EQ(all.sizes(), (std::vector<int64_t>{4, 2, 4, 4}));
    const auto samples = request.samples, classes = request.classes;
    for (int64_t row = 0; row < 4; ++row) {
      request.samples = samples.slice(0, row, row + 1);
      request.classes = classes.slice(0, row, row + 1);
      EXPECT_TRUE(torch::equal(model.generate(request)[0], all[row]));
    }
  }
}

TEST(LatentDiffusion, StartsFromTheSameNoiseBitForBit) {
  const auto denoiser = std::make_shared<FormulaDenoiser>(
      3, [](const at::Tensor& sample, const at::Tensor&, const at::Tensor&) {
        return 0.1 * sample;
      });
  LatentDiffusion model(denoiser, {}, toy_space());
  auto request = four_latents();
  request.guidance.scale = 1;
  request.sampler =
      "ddpm";  // elementwise throughout, so all steps must be equal
  model.generate(request);
  const auto together = denoiser->seen;
  denoiser->seen.clear();
  request.samples = request.samples.slice(0, 2, 3);
  request.classes = request.classes.slice(0, 2, 3);
  model.generate(request);
  ASSERT_EQ(together.size(), denoiser->seen.size());
  for (size_t i = 0; i < together.size(); ++i)
    EXPECT_TRUE(torch::equal(together[i][2], denoiser->seen[i][0]))
        << "step " << i;
}

TEST(LatentDiffusion, GeneratesInTheScaleOfTheLatents) {
  // A network that always sees x_0 = 0 leads to the mean of the latents.
  LatentDiffusionConfig config;
  config.scheduler.schedule.prediction_type = "sample";
  LatentDiffusion model(
      std::make_shared<FormulaDenoiser>(
          0, [](const at::Tensor& sample, const at::Tensor&,
                const at::Tensor&) { return torch::zeros_like(sample); }),
      config, toy_space());
  GenerateRequest request;
  request.samples = torch::arange(2, torch::kLong);
  request.num_steps = 3;
  const auto mean = model.generate(request).mean({0, 2, 3});
  EXPECT_TRUE(torch::allclose(mean, torch::tensor({1.f, -1.f}), 1e-5, 1e-5));
}

TEST(LatentDiffusion, GeneratingLeavesTheModeOfTheNetworkAlone) {
  const auto denoiser = std::make_shared<FormulaDenoiser>(
      0, [](const at::Tensor& sample, const at::Tensor&, const at::Tensor&) {
        return sample;
      });
  LatentDiffusion model(denoiser, {}, toy_space());
  denoiser->module().train();
  GenerateRequest request;
  request.samples = torch::arange(2, torch::kLong);
  request.num_steps = 3;
  int64_t num_steps = 0;
  request.on_step = [&](int64_t done, int64_t of) {
    num_steps = done;
    EXPECT_EQ(of, 3);
  };
  model.generate(request);
  EXPECT_FALSE(denoiser->was_training);
  EXPECT_TRUE(denoiser->module().is_training());
  EXPECT_EQ(num_steps, 3);
}

TEST(LatentDiffusion, PreviewIsTheSameEveryTime) {
  auto model = toy_model();
  Batch batch;
  batch.seed = 4;
  const auto first = model.preview(batch);
  batch.step = 1000;
  EXPECT_EQ(first.sizes(), (std::vector<int64_t>{16, 2, 4, 4}));
  EXPECT_TRUE(torch::equal(model.preview(batch), first));
}

TEST(LatentDiffusion, LossesReachEveryParameter) {
  auto model = toy_model();
  Batch batch;
  batch.data = torch::randn({64, 2, 4, 4});
  batch.labels = torch::arange(64, torch::kLong).remainder(3);
  batch.samples = torch::arange(64, torch::kLong);
  model.losses(batch).total.backward();
  for (const auto& parameter : model.module().named_parameters()) {
    ASSERT_TRUE(parameter.value().grad().defined()) << parameter.key();
    EXPECT_GT(parameter.value().grad().abs().min().item<float>(), 0)
        << parameter.key();
  }
}

TEST(LatentDiffusion, RefusesWhatTheNetworkDoesNotKnow) {
  const auto message = [](LatentDiffusion model, auto change) -> std::string {
    auto request = four_latents();
    change(request);
    try {
      model.generate(request);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(message(toy_model(0), [](auto& r) { r.guidance.scale = 1; }),
            "generate: the model knows no classes");
  EXPECT_THAT(message(toy_model(0), [](auto& r) { r.classes = at::Tensor(); }),
              HasSubstr("guidance: scale 2 needs a network with classes"));
  EXPECT_THAT(message(toy_model(2), [](auto&) {}), HasSubstr("got 2"));
  EXPECT_THAT(message(toy_model(), [](auto& r) { r.num_steps = 0; }),
              HasSubstr("num_steps must be in [1, 1000], got 0"));
  EXPECT_THAT(message(toy_model(), [](auto& r) { r.guidance.scale = -1; }),
              HasSubstr("guidance: scale must be in [0, 1000], got -1"));
}

TEST(LatentDiffusion, RefusesTimestepsThatTheNetworkCannotBeTold) {
  const auto learned =
      UNet2DModel(UNet2DModelConfig{.in_channels = 2,
                                    .out_channels = 2,
                                    .time_embedding_type = "learned",
                                    .down_block_types = {"DownBlock2D"},
                                    .up_block_types = {"UpBlock2D"},
                                    .block_out_channels = {8},
                                    .attention_head_dim = 8,
                                    .norm_num_groups = 4,
                                    .num_train_timesteps = 1000});
  LatentDiffusionConfig config;
  EXPECT_NO_THROW(LatentDiffusion(learned.ptr(), config, toy_space()));
  config.scheduler = {"FlowMatchEulerDiscreteScheduler",
                      {.prediction_type = "flow_prediction"}};
  try {
    LatentDiffusion(learned.ptr(), config, toy_space());
    FAIL() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("cannot be told timesteps from 0 to 1000"));
  }
}

TEST(LatentDiffusion, RefusesMoreClassesThanTheNetworkKnows) {
  auto space = toy_space();
  space.class_names = {"a", "b", "c"};
  try {
    LatentDiffusion(std::make_shared<ConvDenoiserImpl>(2, 2), {}, space);
    FAIL() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(
        error.what(),
        "latent diffusion: the latents have 3 classes, the network knows 2");
  }
}

TEST(LatentDiffusionConfig, NestsItsPartsInJson) {
  LatentDiffusionConfig config;
  read_config(parse_json(R"({"scheduler": {"prediction_type": "v_prediction"},
                             "objective": {"label_dropout": 0.2},
                             "preview": {"guidance": 3}})",
                         "text"),
              config, "text");
  EXPECT_EQ(config.scheduler.schedule.prediction_type, "v_prediction");
  EXPECT_FALSE(config.scheduler.schedule.clip_sample);
  EXPECT_EQ(config.objective.label_dropout, 0.2);
  EXPECT_EQ(config.preview.guidance, 3);
}

TEST(LatentSpace, IsTheSameAfterSavingAndLoading) {
  const TempFolder folder;
  auto space = toy_space(3, 5);
  space.class_names = {"boot", "bag"};
  space.codec =
      CodecRecord(Json{{"class", "AutoencoderKL"}, {"sha256", "00ff"}});
  space.preview_matrix = {{0.1, 1.0 / 3}, {-2, 0}, {1, 1}};
  space.preview_bias = {0, 0.5, -0.5};
  write_latent_space(folder / "latent_space.json", space);
  EXPECT_EQ(write_config(read_latent_space(folder / "latent_space.json")),
            write_config(space));
}

TEST(LatentSpace, IsReadFromAFileWithoutAPreview) {
  const TempFolder folder;
  auto json = write_config(toy_space());
  json.erase("preview_matrix");
  json.erase("preview_bias");
  write_file_atomic(folder / "latent_space.json", json.dump());
  const auto space = read_latent_space(folder / "latent_space.json");
  EXPECT_TRUE(space.preview_matrix.empty());
  EXPECT_TRUE(space.preview_bias.empty());
}

TEST(LatentSpace, RefusesAPreviewOfOtherLatents) {
  auto space = toy_space();
  space.preview_matrix = {{1, 2, 3}};
  space.preview_bias = {0};
  try {
    space.validate("latent_space.json");
    FAIL() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(),
                 "latent_space.json: preview_matrix must be [C][2] and "
                 "preview_bias [C], got 1 rows and 1 numbers");
  }
}

TEST(LatentSpace, NormalisesPerChannelAndBack) {
  const auto space = toy_space(1, 1);
  const auto latents = torch::tensor({5.f, 0.f}).view({1, 2, 1, 1});
  const auto normal = space.normalise(latents);
  EXPECT_TRUE(torch::equal(normal.flatten(), torch::tensor({2.f, 2.f})));
  EXPECT_TRUE(torch::equal(space.denormalise(normal), latents));
}

TEST(LatentSpace, RefusesStatisticsOfAnotherShape) {
  auto space = toy_space();
  space.std = {1};
  try {
    space.validate("latent_space.json");
    FAIL() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(),
                 "latent_space.json: mean and std must hold 2 numbers, one a "
                 "channel, got "
                 "2 and 1");
  }
}

}  // namespace
}  // namespace calotype
