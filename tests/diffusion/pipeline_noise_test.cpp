#include "diffusion/pipeline_noise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <numbers>
#include <random>

#include "core/error.h"
#include "diffusion/latent_diffusion.h"
#include "tests/diffusion/toy_denoiser.h"
#include "tests/support/message_of.h"

namespace calotype {
namespace {

/// torch.randn of 16 numbers and more, by the standard library's twister:
/// uniform numbers of 24 bits in the place of the result, of each 16 the first
/// eight lengths and the last eight angles; where 16 does not divide the size,
/// the last 16 are drawn anew.
std::vector<float> drawn_by_hand(std::mt19937& twister, size_t size) {
  const auto uniform = [&] { return float(twister() & 0xffffffu) * 0x1p-24f; };
  std::vector<float> values(size);
  for (auto& value : values) value = uniform();
  const auto transform = [](float* block) {
    for (int i = 0; i < 8; ++i) {
      const double radius = std::sqrt(-2 * std::log(double(1 - block[i]))),
                   angle = 2 * std::numbers::pi * block[i + 8];
      block[i] = float(radius * std::cos(angle));
      block[i + 8] = float(radius * std::sin(angle));
    }
  };
  for (size_t at = 0; at + 16 <= size; at += 16) transform(&values[at]);
  if (size % 16 == 0) return values;
  for (size_t i = size - 16; i < size; ++i) values[i] = uniform();
  transform(&values[size - 16]);
  return values;
}

TEST(TorchNoise, IsTheMersenneTwisterOfTheStandardLibraryTransformed) {
  for (const uint64_t seed : {0, 41, 1234567890}) {
    TorchNoise noise(seed);
    std::mt19937 twister{uint32_t(seed)};
    for (const int64_t size : {16, 100, 33, 768}) {
      const auto got = noise.next({size});
      const auto want = drawn_by_hand(twister, size_t(size));
      EXPECT_TRUE(torch::allclose(got, torch::tensor(want), 1e-5, 1e-6));
    }
  }
}

TEST(TorchNoise, HasTheNumbersThatAnotherTorchDrew) {
  // torch.manual_seed(41); torch.randn(3, 4, 8, 8) on PyTorch 2.6.
  const auto many = TorchNoise(41).next({3, 4, 8, 8}).flatten();
  const auto want = torch::tensor({0.24650228023529053, -0.4717024266719818,
                                   -1.5183908939361572, -0.21238605678081512});
  EXPECT_TRUE(
      torch::allclose(many.narrow(0, 0, 4), want.to(at::kFloat), 0, 1e-6));
  // torch.manual_seed(0); torch.randn(3): fewer than 16 are drawn otherwise.
  const auto few = torch::tensor({1.5410f, -0.2934f, -2.1788f});
  EXPECT_TRUE(torch::allclose(TorchNoise(0).next({3}), few, 0, 1e-4));
}

LatentDiffusion model_of_three_classes() {
  return {std::make_shared<ConvDenoiserImpl>(2, 3), {}, toy_space()};
}

GenerateRequest of_pipeline(const char* sampler, bool is_dit) {
  GenerateRequest request;
  request.samples = torch::arange(3, torch::kLong);
  request.classes = torch::tensor({0, 2, 1}, torch::kLong);
  request.seed = 17;
  request.num_steps = 5;
  request.guidance.scale = 2;
  request.sampler = sampler;
  request.pipeline_noise = PipelineNoise{.num_images = 3, .is_dit = is_dit};
  return request;
}

TEST(PipelineNoise, RowsAreThoseOfTheWholeCallInAnyBatches) {
  auto model = model_of_three_classes();
  for (const auto* sampler : {"ddpm", "euler_ancestral", "dpmpp_2m_sde"})
    for (const bool is_dit : {false, true}) {
      auto request = of_pipeline(sampler, is_dit);
      const auto all = model.generate(request);
      const auto samples = request.samples, classes = request.classes;
      for (const auto& [first, end] : {std::pair{0, 2}, std::pair{2, 3}}) {
        request.samples = samples.slice(0, first, end);
        request.classes = classes.slice(0, first, end);
        request.pipeline_noise->first = first;
        EXPECT_TRUE(
            torch::equal(model.generate(request), all.slice(0, first, end)));
      }
      request.seed = 18;
      EXPECT_FALSE(torch::equal(model.generate(request), all.slice(0, 2, 3)));
    }
}

/// What a pipeline does, step by step: `rows` numbers are drawn a step.
at::Tensor walked(Sampler& sampler, const GenerateRequest& request,
                  Denoiser& denoiser, int64_t rows, bool scales_start,
                  bool keeps_scaled) {
  const at::NoGradGuard no_grad;
  TorchNoise noise(request.seed);
  auto state = noise.next({3, 2, 4, 4});
  if (scales_start) state = state * sampler.initial_sigma();
  for (int64_t i = 0; i < sampler.num_questions(); ++i) {
    const auto shown = sampler.model_input(state, i);
    if (keeps_scaled) state = shown;
    const auto t = torch::full({3}, sampler.timesteps()[size_t(i)]);
    const auto strong = denoiser.forward(shown, t, request.classes),
               weak = denoiser.forward(shown, t,
                                       torch::full_like(request.classes, 3));
    state = sampler.step(weak + 2 * (strong - weak), state, i, [&](int64_t) {
      return noise.next({rows, 2, 4, 4}).narrow(0, 0, 3);
    });
  }
  return toy_space().denormalise(state);
}

TEST(PipelineNoise, StepsDrawForTheRowsThatThePipelineWalks) {
  auto model = model_of_three_classes();
  for (const auto* sampler : {"ddpm", "euler_ancestral"})
    for (const bool is_dit : {false, true}) {
      const auto request = of_pipeline(sampler, is_dit);
      const auto made = make_sampler(sampler, model.scheduler().schedule, 5);
      const auto want = walked(*made, request, *model.denoiser(),
                               is_dit ? 6 : 3, !is_dit, is_dit);
      EXPECT_TRUE(torch::allclose(model.generate(request), want, 1e-4, 1e-4))
          << sampler;
    }
}

TEST(PipelineNoise, RefusesRowsThatAreNoneOfTheCall) {
  auto model = model_of_three_classes();
  auto request = of_pipeline("ddim", false);
  request.pipeline_noise->first = 1;
  EXPECT_THAT(message_of<ShapeError>([&] { model.generate(request); }),
              testing::HasSubstr("a pipeline's noise is of the rows of its"));
}

}  // namespace
}  // namespace calotype
