#include "diffusion/initial_latents.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"
#include "diffusion/latent_diffusion.h"
#include "tests/diffusion/toy_denoiser.h"

namespace calotype {
namespace {

LatentDiffusion toy_predicting(const char* prediction_type) {
  LatentDiffusionConfig config;
  config.scheduler.schedule.prediction_type = prediction_type;
  config.scheduler.class_name =
      noise_path(config.scheduler.schedule) == NoisePath::kFlow
          ? "FlowMatchEulerDiscreteScheduler"
      : noise_path(config.scheduler.schedule) == NoisePath::kVarianceExploding
          ? "EDMEulerScheduler"
          : "DDIMScheduler";
  return {std::make_shared<ConvDenoiserImpl>(2, 3), config, toy_space()};
}

GenerateRequest two_latents() {
  GenerateRequest request;
  request.samples = torch::tensor({3, 8}, torch::kLong);
  request.num_steps = 10;
  return request;
}

TEST(InitialLatents, LittleStrengthStaysNear) {
  const auto latents = torch::randn({1, 2, 4, 4});
  for (const auto* type : {"epsilon", "flow_prediction", "edm"}) {
    auto model = toy_predicting(type);
    auto request = two_latents();
    request.initial.latents = latents;
    const auto moved = [&](double strength) {
      request.initial.strength = strength;
      return (model.generate(request) - latents).square().mean().item<float>();
    };
    EXPECT_LT(moved(0.1), moved(0.5)) << type;
    EXPECT_LT(moved(0.5), moved(1)) << type;
  }
}

TEST(InitialLatents, WalkOnlyTheirShareOfTheSteps) {
  auto model = toy_predicting("epsilon");
  auto request = two_latents();
  request.initial.latents = torch::randn({1, 2, 4, 4});
  request.initial.strength = 0.3;
  int64_t num_asked = 0;
  request.on_step = [&](int64_t, int64_t) { ++num_asked; };
  model.generate(request);
  EXPECT_EQ(num_asked, 3);
}

TEST(InitialLatents, OutsideOfTheMaskAreLeftAsTheyWere) {
  const auto latents = torch::randn({1, 2, 4, 4});
  auto mask = torch::zeros({1, 1, 4, 4});
  mask.slice(3, 0, 2).fill_(1);
  for (const auto* sampler : {"ddim", "ddpm", "heun", "unipc", "dpmpp_2m"}) {
    auto model = toy_predicting("epsilon");
    auto request = two_latents();
    request.sampler = sampler;
    request.initial.latents = latents;
    request.initial.repaint = mask;
    const auto drawn = model.generate(request);
    EXPECT_TRUE(torch::equal(drawn.slice(3, 2),
                             latents.slice(3, 2).expand({2, 2, 4, 2})));
    EXPECT_GT((drawn - latents).slice(3, 0, 2).abs().min().item<float>(), 0);
    EXPECT_FALSE(torch::equal(drawn[0], drawn[1]));
  }
}

TEST(InitialLatents, ForbidOtherShapes) {
  const auto message = [](auto change) -> std::string {
    auto model = toy_predicting("epsilon");
    auto request = two_latents();
    request.initial.latents = torch::zeros({1, 2, 4, 4});
    change(request.initial);
    try {
      model.generate(request);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(
      message([](auto& i) {
        i.latents = torch::zeros({1, 2, 4, 5});
      }),
      "generate: the initial latents must be [2, 2, 4, 4] for this model, got "
      "[1, 2, 4, 5]");
  EXPECT_EQ(message([](auto& i) {
              i.repaint = torch::zeros({1, 1, 8, 8});
            }),
            "generate: the mask must be [2, 1, 4, 4] for this model, got [1, "
            "1, 8, 8]");
  EXPECT_EQ(message([](auto& i) {
              i.latents = at::Tensor();
              i.strength = 0.5;
            }),
            "generate: a strength or a mask needs latents to start from");
}

TEST(Slerp, KeepsToTheCircle) {
  const auto a = torch::tensor({{3.0, 0.0}}), b = torch::tensor({{0.0, 3.0}});
  const auto middle = slerp(a, b, torch::tensor({0.5}));
  EXPECT_TRUE(torch::allclose(
      middle, torch::tensor({{3 * std::sqrt(0.5), 3 * std::sqrt(0.5)}})));
  EXPECT_TRUE(torch::equal(slerp(a, b, torch::tensor({0.0})), a));
  EXPECT_TRUE(torch::allclose(slerp(a, b, torch::tensor({1.0})), b, 0, 1e-12));
  // Equal ends have no circle.
  EXPECT_TRUE(torch::equal(slerp(a, a, torch::tensor({0.3})), a));
}

TEST(LatentDiffusion, InterpolatesBetweenSeeds) {
  auto model = toy_predicting("epsilon");
  GenerateRequest request;
  request.samples = torch::full({3}, 5, torch::kLong);
  request.num_steps = 4;
  request.seed = 1;
  request.other_seed = 2;
  request.blend = torch::tensor({0.f, 0.5f, 1.f});
  const auto between = model.generate(request);
  request.blend = at::Tensor();
  request.samples = torch::full({1}, 5, torch::kLong);
  EXPECT_TRUE(
      torch::allclose(model.generate(request)[0], between[0], 1e-5, 1e-5));
  request.seed = 2;
  EXPECT_TRUE(
      torch::allclose(model.generate(request)[0], between[2], 1e-5, 1e-5));
  EXPECT_FALSE(torch::allclose(between[1], between[0], 1e-2, 1e-2));
}

TEST(LatentDiffusion, TellsWhatTheLatentsLookLikeOnTheWay) {
  auto model = toy_predicting("flow_prediction");
  auto request = two_latents();
  request.preview_every = 4;
  std::vector<int64_t> told;
  at::Tensor last;
  request.on_preview = [&](int64_t done, int64_t of, const at::Tensor& x0) {
    EXPECT_EQ(of, 10);
    told.push_back(done);
    last = x0;
  };
  model.generate(request);
  EXPECT_EQ(told, (std::vector<int64_t>{4, 8}));
  EXPECT_EQ(last.sizes(), (std::vector<int64_t>{2, 2, 4, 4}));
}

}  // namespace
}  // namespace calotype
