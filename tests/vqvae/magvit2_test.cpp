#include "vqvae/magvit2.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <string>

#include "core/error.h"
#include "nn/precision.h"
#include "nn/safetensors.h"
#include "tests/support/fixtures.h"
#include "tests/support/message_of.h"
#include "tests/support/rows_alone.h"
#include "tests/support/temp_folder.h"
#include "vqvae/vq_training.h"

namespace calotype {
namespace {

using testing::HasSubstr;

Magvit2Config small_magvit2() {
  return {.in_channels = 1,
          .out_channels = 1,
          .block_out_channels = {8, 16},
          .layers_per_block = 1,
          .latent_channels = 3,
          .norm_num_groups = 4};
}

/// With weights of which none is at the value that it begins with.
Magvit2 perturbed_magvit2() {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(7);
  Magvit2 model(small_magvit2());
  for (auto& parameter : model->parameters())
    parameter.add_(0.1 * torch::randn_like(parameter));
  model->eval();
  return model;
}

at::Tensor slanted_images() {
  return torch::arange(2 * 16 * 24, torch::kFloat).view({2, 1, 16, 24}).sin();
}

double distance_to(const at::Tensor& got, const at::Tensor& want) {
  return ((got - want).norm() / want.norm()).item<double>();
}

// Of tests/fixtures, which magvit2_numpy.py wrote, or of any folder of that
// form.
TEST(Magvit2, ComputesWhatTheReferenceComputes) {
  const torch::NoGradGuard no_grad;
  const auto folders = fixture_models("CalotypeMAGVIT2");
  if (folders.empty()) GTEST_SKIP() << "no fixture in " << fixtures_folder();
  for (const auto& path : folders) {
    SCOPED_TRACE(path.string());
    auto model = load_magvit2(open_model_folder(path));
    const auto io = read_safetensors(path / "io.safetensors").tensors;
    const auto indices = io.at("indices").to(torch::kLong).unsqueeze(1);
    EXPECT_TRUE(
        close_to_fixture(model->encode(io.at("x")).mean, io.at("latents")));
    EXPECT_TRUE(torch::equal(model->tokenize(io.at("x")), indices));
    EXPECT_TRUE(
        close_to_fixture(model->decode(io.at("latents")), io.at("decoded")));
    EXPECT_TRUE(close_to_fixture(model->detokenize(indices), io.at("decoded")));
  }
}

TEST(Magvit2, NumbersACodeByTheSignsOfItsChannels) {
  const torch::NoGradGuard no_grad;
  auto model = perturbed_magvit2();
  const auto latent = torch::tensor({0.5f, -3.f,  // channel 0: bit of 1
                                     0.f, 0.1f,   // 0 counts as -1
                                     -1.f, 2.f})
                          .view({1, 3, 1, 2});
  const auto coded = model->quantize(latent);
  EXPECT_TRUE(torch::equal(
      coded.indices, torch::tensor({1, 6}, torch::kLong).view({1, 1, 1, 2})));
  EXPECT_TRUE(torch::allclose(
      coded.vectors,
      torch::tensor({1.f, -1.f, -1.f, 1.f, -1.f, 1.f}).view({1, 3, 1, 2})));
  EXPECT_EQ(model->num_codes(), 8);
  EXPECT_TRUE(torch::allclose(model->detokenize(coded.indices),
                              model->decode(latent), 1e-4, 1e-5));
}

// The variance of one code, which the authors' is not, is 0.
TEST(Magvit2, DecodesASingleCode) {
  const torch::NoGradGuard no_grad;
  auto model = perturbed_magvit2();
  const auto image = model->detokenize(torch::full({1, 1, 1, 1}, 5));
  EXPECT_EQ(image.sizes(), (std::vector<int64_t>{1, 1, 2, 2}));
  EXPECT_TRUE(image.isfinite().all().item<bool>());
}

TEST(Magvit2, CodesAnImageTheSameInAnyBatch) {
  const torch::NoGradGuard no_grad;
  auto model = perturbed_magvit2();
  torch::manual_seed(8);
  const auto x = torch::rand({48, 1, 6, 8}) * 2 - 1;
  const auto tokens = torch::randint(8, {48, 1, 3, 4}, torch::kLong);
  for (const auto precision : {Precision::kFp32, Precision::kBf16}) {
    const PrecisionScope scope(precision);
    expect_rows_alone(
        x, [&](const at::Tensor& rows) { return model->encode(rows).mean; });
    expect_rows_alone(tokens, [&](const at::Tensor& rows) {
      return model->detokenize(rows);
    });
  }
}

TEST(Magvit2, ComputesInBf16) {
  const torch::NoGradGuard no_grad;
  auto model = perturbed_magvit2();
  const auto latents = model->encode(slanted_images()).mean;
  const auto decoded = model->decode(latents);
  const PrecisionScope bf16(Precision::kBf16);
  for (const auto error :
       {distance_to(model->encode(slanted_images()).mean, latents),
        distance_to(model->decode(latents), decoded)}) {
    EXPECT_LT(error, 0.03);
    EXPECT_GT(error, 1e-4);  // that it was in bf16 at all
  }
}

TEST(Magvit2, KeepsItsNumbersThroughSaveAndLoad) {
  const torch::NoGradGuard no_grad;
  const TempFolder folder;
  auto model = perturbed_magvit2();
  save_model_folder(folder.path(), Magvit2Impl::kClassName,
                    write_config(model->config()), weights_of(*model));
  auto loaded = load_magvit2(open_model_folder(folder.path()));
  const auto tokens = model->tokenize(slanted_images());
  EXPECT_TRUE(torch::equal(loaded->tokenize(slanted_images()), tokens));
  EXPECT_TRUE(
      torch::equal(loaded->detokenize(tokens), model->detokenize(tokens)));
}

TEST(Magvit2, LearnsInEachOfItsWeights) {
  auto model = perturbed_magvit2();
  model->train();
  VqTraining training(model.ptr(), {});
  const auto losses = training.losses({.data = slanted_images(),
                                       .samples = torch::arange(2),
                                       .seed = 1,
                                       .step = 0});
  losses.total.backward();
  for (const auto& item : model->named_parameters()) {
    ASSERT_TRUE(item.value().grad().defined()) << item.key();
    EXPECT_GT(item.value().grad().abs().max().item<double>(), 0) << item.key();
  }
  std::vector<std::string> names;
  for (const auto& [name, part] : losses.parts) names.push_back(name);
  EXPECT_THAT(names, testing::IsSupersetOf(
                         {"commitment", "sample_entropy", "batch_entropy"}));
}

TEST(Magvit2, RefusesWhatCannotBe) {
  const auto refusal = [](const Magvit2Config& config) {
    return message_of<ConfigError>([&] { Magvit2{config}; });
  };
  auto config = small_magvit2();
  config.quantizer.kind = "ema";
  EXPECT_EQ(refusal(config),
            "CalotypeMAGVIT2: quantizer.kind must be one of lfq, got ema");
  config = small_magvit2();
  config.latent_channels = 25;
  EXPECT_THAT(refusal(config), HasSubstr("CalotypeMAGVIT2: latent_channels"));
  config = small_magvit2();
  config.norm_num_groups = 3;
  EXPECT_THAT(refusal(config), HasSubstr("norm_num_groups"));
  auto model = perturbed_magvit2();
  EXPECT_EQ(
      message_of<ShapeError>([&] {
        model->encode(torch::zeros({1, 1, 5, 4}));
      }),
      "CalotypeMAGVIT2: height and width must be multiples of 2, got 5x4");
  EXPECT_THROW(model->detokenize(torch::full({1, 1, 2, 2}, 8)), DataError);
}

}  // namespace
}  // namespace calotype
