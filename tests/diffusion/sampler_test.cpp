#include "diffusion/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/files.h"
#include "diffusion/noise_levels.h"
#include "diffusion/prediction.h"
#include "diffusion/samplers.h"
#include "tests/diffusion/halving.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::HasSubstr;

at::Tensor half(const at::Tensor& sample, const at::Tensor&, double) {
  return torch::full_like(sample, 0.5);
}

double value_after(const char* name, const ScheduleConfig& config, double eta,
                   int64_t step) {
  double value = 0;
  WalkOptions options;
  options.on_step = [&](const SamplerProgress& progress) {
    if (progress.index == step) value = progress.state.item<double>();
  };
  run_sampler(*make_sampler(name, config, 2, {.eta = eta}), torch::ones({1, 1}),
              half, ones, options);
  return value;
}

// From x = 1 with epsilon = 0.5, on paper: x_0 = (1 - sqrt(0.75) / 2) / 0.5
// = 1.1339746.
TEST(DdimSampler, TwoStepsByHand) {
  // sqrt(0.5) (1.1339746 + 0.5), and x_0 again.
  EXPECT_NEAR(value_after("ddim", halving(), 0, 0), 1.1553945, 1e-6);
  EXPECT_NEAR(value_after("ddim", halving(), 0, 1), 1.1339746, 1e-6);
}

TEST(DdpmSampler, TwoStepsByHand) {
  auto config = halving();
  // Equation 7 weighs both by sqrt(0.5) 0.5 / 0.75 = 0.4714045: mean 1.0059652;
  // its variance is 0.5 / 0.75 * 0.5 = 1/3, and the noise is 1.
  EXPECT_NEAR(value_after("ddpm", config, 0, 0), 1.5833155, 1e-6);
  // The last step adds nothing: (1.5833155 - sqrt(0.5) / 2) / sqrt(0.5).
  EXPECT_NEAR(value_after("ddpm", config, 0, 1), 1.7391462, 1e-6);

  config.variance_type = "fixed_small_log";
  EXPECT_NEAR(value_after("ddpm", config, 0, 0), 1.5833155, 1e-6);
  for (const auto* large : {"fixed_large", "fixed_large_log"}) {
    config.variance_type = large;  // beta = 0.5
    EXPECT_NEAR(value_after("ddpm", config, 0, 0), 1.0059652 + std::sqrt(0.5),
                1e-6);
  }
}

TEST(DdpmSampler, AddsNoiseUnlessAtTimestepZero) {
  auto config = halving();
  const auto noisy_steps = [&] {
    int64_t count = 0;
    run_sampler(*make_sampler("ddpm", config, 1), torch::ones({1, 1}), half,
                [&](int64_t i) {
                  ++count;
                  return ones(i);
                });
    return count;
  };
  EXPECT_EQ(noisy_steps(), 0);
  config.timestep_spacing = "trailing";  // the only timestep is 1
  EXPECT_EQ(noisy_steps(), 1);
}

TEST(DdimSampler, StridesByWholeTimesteps) {
  auto config = halving();
  config.num_train_timesteps = 3;
  config.trained_betas = {0.5, 0.5, 0.5};
  config.timestep_spacing = "trailing";  // 2 and 1, with a stride of 3 / 2 = 1
  // x_0 = (1 - sqrt(0.875) / 2) / sqrt(0.125) = 1.5055515; after timestep 1
  // comes 0, where alpha_bar is 0.5: sqrt(0.5) (x_0 + 0.5).
  EXPECT_NEAR(value_after("ddim", config, 0, 1), 1.4181390, 1e-6);
}

// DDIM with eta 1 is DDPM with the small variance (arXiv:2010.02502,
// section 4.1).
TEST(DdimSampler, WithEtaOneIsDdpm) {
  EXPECT_NEAR(value_after("ddim", halving(), 1, 0),
              value_after("ddpm", halving(), 0, 0), 1e-6);
}

TEST(DdimSampler, EndsAtTheFirstAlphaIfToldSo) {
  auto config = halving();
  config.set_alpha_to_one = false;
  // alpha_bar stays 0.5 in the last step, so nothing moves.
  EXPECT_NEAR(value_after("ddim", config, 0, 1),
              value_after("ddim", config, 0, 0), 1e-6);
}

TEST(DdimSampler, WithoutEtaAsksForNoNoise) {
  const auto no_noise = [](int64_t) -> at::Tensor {
    throw std::logic_error("asked");
  };
  const auto draw = [&] {
    return run_sampler(*make_sampler("ddim", halving(), 2), torch::ones({1, 1}),
                       half, no_noise);
  };
  EXPECT_TRUE(torch::equal(draw(), draw()));
}

// Tells the whole truth about x_0 for any prediction_type.
Network perfect_network(const ScheduleConfig& config, const at::Tensor& x0) {
  return [config, x0](const at::Tensor& sample, const at::Tensor&,
                      double sigma) {
    const bool flow = noise_path(config) == NoisePath::kFlow;
    Mixture mixture{1, sigma};
    if (flow)
      mixture = {1 / (1 + sigma), std::isinf(sigma) ? 1 : sigma / (1 + sigma)};
    if (std::isinf(sigma)) mixture.signal = 0;
    if (noise_path(config) == NoisePath::kVariancePreserving)
      mixture = {1 / std::hypot(sigma, 1), sigma / std::hypot(sigma, 1)};
    const auto state = sample / input_scale(config, mixture);
    const auto noise = (state - mixture.signal * x0) / mixture.noise;
    const auto level = [&](double value) {
      return torch::full({x0.size(0)}, value);
    };
    return prediction_target(config, x0, noise,
                             {level(mixture.signal), level(mixture.noise)});
  };
}

TEST(Samplers, APerfectNetworkLeadsToTheSample) {
  torch::manual_seed(2);
  const auto x0 = torch::randn({2, 3, 4, 4}),
             start = torch::randn({2, 3, 4, 4});
  const auto noise = [&](int64_t) { return torch::randn_like(x0); };
  int num_walked = 0;
  for (const auto* type :
       {"epsilon", "sample", "v_prediction", "flow_prediction", "edm"})
    for (const auto* spacing : {"leading", "linspace", "trailing"}) {
      ScheduleConfig config;
      config.prediction_type = type;
      config.timestep_spacing = spacing;
      config.shift = 2;
      for (const auto& name : sampler_names(config)) {
        const auto sampler = make_sampler(name, config, 8);
        const auto end = run_sampler(*sampler, start * sampler->initial_sigma(),
                                     perfect_network(config, x0), noise);
        EXPECT_TRUE(torch::allclose(end, x0, 1e-3, 2e-3))
            << name << ' ' << type << ' ' << spacing << ' '
            << (end - x0).abs().max();
        ++num_walked;
      }
    }
  // ddpm and ddim walk 3 types, euler, heun, dpmpp_2m(_sde) and unipc all 5,
  // euler_ancestral and edm all but the flow.
  EXPECT_EQ(num_walked, 3 * (2 * 3 + 5 * 5 + 2 * 4));
}

TEST(Samplers, NameTheStepWhereTheNetworkFails) {
  const auto fails_late = [](const at::Tensor& sample,
                             const at::Tensor& timestep, double) {
    return sample / timestep.view({-1, 1});  // 0 / 0 at timestep 0 alone
  };
  try {
    run_sampler(*make_sampler("ddim", halving(), 2), torch::zeros({1, 1}),
                fails_late, ones);
    FAIL() << "nothing thrown";
  } catch (const DataError& error) {
    EXPECT_STREQ(error.what(),
                 "sampler: the network's output is not finite at step 2 of 2 "
                 "(timestep 0)");
  }
}

TEST(Samplers, RefuseUnknownNamesAndOptionsWithoutUse) {
  EXPECT_EQ(message_of<ConfigError>([] { make_sampler("lms", halving(), 2); }),
            "sampler: unknown sampler \"lms\"; known are ddpm, ddim, euler, "
            "euler_ancestral, heun, dpmpp_2m, dpmpp_2m_sde, unipc, edm");
  EXPECT_EQ(message_of<ConfigError>(
                [] { make_sampler("ddpm", halving(), 2, {.eta = 0.5}); }),
            "sampler: only ddim has an eta, got 0.5");
  EXPECT_EQ(message_of<ConfigError>(
                [] { make_sampler("ddim", halving(), 2, {.eta = 1.5}); }),
            "sampler: eta must be in [0, 1], got 1.5");
  EXPECT_EQ(message_of<ConfigError>(
                [] { make_sampler("heun", halving(), 2, {.churn = 3}); }),
            "sampler: only edm has a churn, got 3");
  auto flow = halving();
  flow.prediction_type = "flow_prediction";
  EXPECT_EQ(message_of<ConfigError>([&] { make_sampler("ddim", flow, 2); }),
            "sampler: ddim cannot walk a network of prediction_type "
            "flow_prediction; these can: euler, heun, dpmpp_2m, dpmpp_2m_sde, "
            "unipc");
}

// What the network is told goes with the noise that it is shown.
TEST(Samplers, TellTheTimestepOfTheLevel) {
  for (const auto* type : {"epsilon", "flow_prediction", "edm"})
    for (const auto* spacing : {"leading", "linspace", "trailing"}) {
      ScheduleConfig config;
      config.prediction_type = type;
      config.timestep_spacing = spacing;
      config.beta_schedule = "squaredcos_cap_v2";
      for (const auto& name : sampler_names(config)) {
        if (name == "ddpm" || name == "ddim") continue;  // by whole strides
        const auto sampler = make_sampler(name, config, 7);
        for (int64_t i = 0; i < sampler->num_questions(); ++i) {
          const auto level = sampler->level(i);
          const double s = type == std::string("flow_prediction")
                               ? level.noise
                               : level.sigma();
          EXPECT_NEAR(timestep_at(config, s), sampler->timesteps()[size_t(i)],
                      name == "unipc" || name.starts_with("dpmpp") ? 0.5 : 0.1)
              << name << ' ' << type << ' ' << spacing << ' ' << i;
        }
      }
    }
}

// Betas that leave almost no signal: no two levels may be alike.
TEST(Samplers, WalkSchedulesThatEndInNoise) {
  ScheduleConfig config;
  config.num_train_timesteps = 2000;
  torch::manual_seed(2);
  const auto x0 = torch::randn({2, 3, 4, 4});
  for (const auto* name : {"dpmpp_2m", "unipc", "euler"}) {
    const auto sampler = make_sampler(name, config, 50);
    const auto end =
        run_sampler(*sampler, torch::randn_like(x0) * sampler->initial_sigma(),
                    perfect_network(config, x0), ones);
    EXPECT_TRUE(torch::allclose(end, x0, 1e-2, 2e-2)) << name;
  }
}

TEST(Samplers, AskOnceAtATimestep) {
  ScheduleConfig config;
  config.num_train_timesteps = 10;
  EXPECT_EQ(message_of<ConfigError>([&] { make_sampler("unipc", config, 10); }),
            "sampler: num_steps must be in [1, 9], got 10");
  EXPECT_EQ(make_sampler("unipc", config, 9)->num_questions(), 9);
}

TEST(Samplers, RefuseAnswersOfOtherChannels) {
  const auto three = [](const at::Tensor& sample, const at::Tensor&, double) {
    return torch::cat({sample, sample, sample}, 1);
  };
  EXPECT_EQ(message_of<ConfigError>([&] {
              run_sampler(*make_sampler("ddim", halving(), 2),
                          torch::zeros({1, 2}), three, ones);
            }),
            "sampler: the network answers 6 channels for latents of 2; it must "
            "be 2 or 4");
}

TEST(Samplers, SpaceTheirLevelsAsTold) {
  const ScheduleConfig preserving;
  const auto second = [&](const char* name, const char* spacing) {
    return make_sampler(name, preserving, 4, {.spacing = spacing})->level(1);
  };
  EXPECT_NE(second("euler", "karras").sigma(),
            second("euler", "exponential").sigma());
  const auto trailing =
      make_sampler("ddim", preserving, 4, {.spacing = "trailing"});
  EXPECT_EQ(trailing->timesteps().front(), 999);
  EXPECT_EQ(message_of<ConfigError>([] {
              make_sampler("ddim", ScheduleConfig(), 4, {.spacing = "karras"});
            }),
            "sampler: ddim cannot space the levels of a network of "
            "prediction_type epsilon karras; it can: leading, linspace, "
            "trailing");
  ScheduleConfig flow;
  flow.prediction_type = "flow_prediction";
  EXPECT_THAT(message_of<ConfigError>([&] {
                make_sampler("euler", flow, 4, {.spacing = "karras"});
              }),
              HasSubstr("it can: nothing but its own"));
}

// Squared-cosine betas end at a sigma of thousands. Evenly spaced timesteps
// then begin with one step over nearly all of the noise, which Heun's trapezoid
// cannot take; Karras's sigmas can.
TEST(Samplers, BeginWhereTheStrengthSays) {
  const auto ten = make_sampler("ddim", ScheduleConfig(), 10);
  EXPECT_EQ(first_question(*ten, 1), 0);
  EXPECT_EQ(first_question(*ten, 0.3), 7);
  EXPECT_EQ(first_question(*ten, 0.01), 9);
  // 19 questions, of which only even ones begin a step: 13.3 becomes 12.
  EXPECT_EQ(first_question(*make_sampler("heun", ScheduleConfig(), 10), 0.3),
            12);
  EXPECT_EQ(message_of<ConfigError>([&] { first_question(*ten, 0); }),
            "sampler: strength must be in [1e-06, 1], got 0");
}

TEST(Samplers, KeepWhatTheConstraintSays) {
  // The network sees x_0 = 3; the constraint says 5 at the end of each step.
  ScheduleConfig config;
  config.prediction_type = "sample";
  for (const auto& name : sampler_names()) {
    const auto sampler = make_sampler(name, config, 4);
    WalkOptions options;
    std::vector<int64_t> asked;
    options.constrain = [&](const at::Tensor& state, int64_t index) {
      asked.push_back(index);
      return torch::full_like(state, 5);
    };
    const auto three = [](const at::Tensor& sample, const at::Tensor&, double) {
      return torch::full_like(sample, 3);
    };
    EXPECT_EQ(run_sampler(*sampler, torch::ones({1, 1}), three, ones, options)
                  .item<double>(),
              5)
        << name;
    const bool twice = sampler->num_questions() == 7;
    EXPECT_EQ(asked, twice ? (std::vector<int64_t>{2, 4, 6, 7})
                           : (std::vector<int64_t>{1, 2, 3, 4}))
        << name;
  }
}

// One step of sigma 2 to 1 by hand, on a flow-like toy: x_0 = 0 always, so the
// slope is x / sigma.
// With n = 2 steps from 8 to 2 and churn 2 * 0.25, gamma is 0.25: the network
// is asked at 8 (nothing above was trained), 2 and 2.5.

}  // namespace
}  // namespace calotype
