#include "diffusion/noise_levels.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "diffusion/samplers.h"
#include "tests/diffusion/halving.h"

// Samplers that walk by noise levels.
namespace calotype {
namespace {

TEST(HeunSampler, NeedsKarrasSigmasWhereNoiseEndsHigh) {
  ScheduleConfig config;
  config.beta_schedule = "squaredcos_cap_v2";
  config.timestep_spacing = "trailing";
  // Data are standard normal numbers, of which the walk keeps each at x.
  const auto end_of = [&](const char* spacing) {
    const auto sampler = make_sampler("heun", config, 16, {.spacing = spacing});
    const auto network = [](const at::Tensor& sample, const at::Tensor&,
                            double sigma) {
      return sample * (sigma / std::hypot(sigma, 1));  // epsilon
    };
    return run_sampler(*sampler, torch::full({1, 1}, sampler->initial_sigma()),
                       network, ones)
        .item<double>();
  };
  EXPECT_GT(end_of("trailing"), 2.5);
  EXPECT_NEAR(end_of("karras"), 1, 0.1);
}

TEST(EulerAncestralSampler, AStepByHand) {
  ScheduleConfig config;
  config.prediction_type = "edm";
  config.sigma_max = 2;
  config.sigma_min = 1;
  const auto sampler = make_sampler("euler_ancestral", config, 2);
  EXPECT_NEAR(sampler->initial_sigma(), 2, 1e-12);
  // fresh = 1/2 sqrt(4 - 1), kept = 1/2: 6 - 3 (2 - 1/2) + fresh.
  const auto no_data = [&](const at::Tensor& sample, const at::Tensor&,
                           double sigma) {
    // F with c_skip x + c_out F = 0, where the network is shown c_in x.
    const double d = config.sigma_data, square = sigma * sigma + d * d;
    return sample * (-d * d / square * std::sqrt(square) /
                     (sigma * d / std::sqrt(square)));
  };
  double after = 0;
  WalkOptions options;
  options.on_step = [&](const SamplerProgress& progress) {
    if (progress.index == 0) after = progress.state.item<double>();
    EXPECT_NEAR(progress.estimate().item<double>(), 0, 1e-6);
  };
  run_sampler(*sampler, torch::full({1, 1}, 6.0), no_data, ones, options);
  EXPECT_NEAR(after, 6 - 4.5 + std::sqrt(0.75), 1e-5);
}

TEST(EdmSampler, RaisesTheNoiseBeforeEachStep) {
  ScheduleConfig config;
  config.prediction_type = "edm";
  config.sigma_max = 8;
  config.sigma_min = 2;
  const auto sampler = make_sampler("edm", config, 2, {.churn = 0.5});
  ASSERT_EQ(sampler->num_questions(), 3);
  const double expected[] = {8, 2, 2.5};
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(sampler->level(i).sigma(), expected[i], 1e-9);
    EXPECT_NEAR(sampler->timesteps()[size_t(i)], std::log(expected[i]) / 4,
                1e-9);
  }
  const auto plain = make_sampler("edm", config, 2, {.churn = 0});
  EXPECT_NEAR(plain->level(2).sigma(), 2, 1e-9);
  // Above s_tmax nothing is raised.
  config.s_tmax = 1;
  EXPECT_NEAR(make_sampler("edm", config, 2, {.churn = 0.5})->level(2).sigma(),
              2, 1e-9);
}

TEST(EdmSampler, WithoutChurnIsHeun) {
  torch::manual_seed(5);
  const auto start = torch::randn({2, 1, 2, 2});
  for (const auto* type : {"epsilon", "edm"}) {
    ScheduleConfig config;
    config.prediction_type = type;
    const auto network = [](const at::Tensor& sample, const at::Tensor&,
                            double) { return sample.tanh(); };
    const auto walked = [&](const char* name, SamplerOptions options) {
      return run_sampler(*make_sampler(name, config, 6, options), start,
                         network, ones);
    };
    EXPECT_TRUE(torch::equal(walked("edm", {.churn = 0}), walked("heun", {})));
  }
}

TEST(NoiseLevels, OfAFlowBeginAtNoiseAndAreShifted) {
  ScheduleConfig config;
  config.prediction_type = "flow_prediction";
  config.shift = 3;
  const auto levels = noise_levels(config, 2);
  EXPECT_EQ(levels.sigmas.front(), 1);
  EXPECT_EQ(levels.timesteps.front(), 1000);
  EXPECT_EQ(levels.sigmas.back(), 0);
  // 0.999 (1/2 of it), shifted: 3 s / (1 + 2 s).
  const auto multistep = multistep_levels(config, 2);
  EXPECT_NEAR(multistep.sigmas[1], 3 * 0.4995 / (1 + 2 * 0.4995), 1e-12);
  EXPECT_LT(multistep.sigmas[0], 1);
}

TEST(NoiseLevels, OfEdmAreSpacedAsTold) {
  ScheduleConfig config;
  config.prediction_type = "edm";
  config.sigma_min = 1;
  config.sigma_max = 16;
  const auto middle = [&](const char* how) {
    config.sigma_schedule = how;
    return noise_levels(config, 3).sigmas[1];
  };
  EXPECT_NEAR(middle("linear"), 8.5, 1e-9);
  EXPECT_NEAR(middle("exponential"), 4, 1e-9);
  config.rho = 2;  // ((4 + 1) / 2)^2
  EXPECT_NEAR(middle("karras"), 6.25, 1e-9);
}

}  // namespace
}  // namespace calotype
