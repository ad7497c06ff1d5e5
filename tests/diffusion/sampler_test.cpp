#include "diffusion/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "core/files.h"
#include "diffusion/prediction.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::HasSubstr;

template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

// alpha_bar = 0.5, 0.25.
SchedulerConfig halving(const std::string& class_name) {
  SchedulerConfig config;
  config.class_name = class_name;
  config.schedule.num_train_timesteps = 2;
  config.schedule.trained_betas = {0.5, 0.5};
  return config;
}

at::Tensor half(const at::Tensor& sample, const at::Tensor&) {
  return torch::full_like(sample, 0.5);
}

at::Tensor ones(int64_t) {
  return torch::ones({1, 1});
}

double value_after(const SchedulerConfig& config, double eta, int64_t step) {
  double value = 0;
  run_sampler(*make_sampler(config, 2, eta), torch::ones({1, 1}), half, ones,
              [&](int64_t i, const at::Tensor& state) {
                if (i == step) value = state.item<double>();
              });
  return value;
}

// From x = 1 with epsilon = 0.5, on paper: x_0 = (1 - sqrt(0.75) / 2) / 0.5
// = 1.1339746.
TEST(DdimSampler, TwoStepsByHand) {
  const auto config = halving("DDIMScheduler");
  // sqrt(0.5) (1.1339746 + 0.5), and x_0 again.
  EXPECT_NEAR(value_after(config, 0, 0), 1.1553945, 1e-6);
  EXPECT_NEAR(value_after(config, 0, 1), 1.1339746, 1e-6);
}

TEST(DdpmSampler, TwoStepsByHand) {
  auto config = halving("DDPMScheduler");
  // Equation 7 weighs both by sqrt(0.5) 0.5 / 0.75 = 0.4714045: mean 1.0059652;
  // its variance is 0.5 / 0.75 * 0.5 = 1/3, and the noise is 1.
  EXPECT_NEAR(value_after(config, 0, 0), 1.5833155, 1e-6);
  // The last step adds nothing: (1.5833155 - sqrt(0.5) / 2) / sqrt(0.5).
  EXPECT_NEAR(value_after(config, 0, 1), 1.7391462, 1e-6);

  config.schedule.variance_type = "fixed_small_log";
  EXPECT_NEAR(value_after(config, 0, 0), 1.5833155, 1e-6);
  for (const auto* large : {"fixed_large", "fixed_large_log"}) {
    config.schedule.variance_type = large;  // beta = 0.5
    EXPECT_NEAR(value_after(config, 0, 0), 1.0059652 + std::sqrt(0.5), 1e-6);
  }
}

TEST(DdpmSampler, AddsNoiseUnlessAtTimestepZero) {
  auto config = halving("DDPMScheduler");
  const auto noisy_steps = [&] {
    int64_t count = 0;
    run_sampler(*make_sampler(config, 1), torch::ones({1, 1}), half,
                [&](int64_t i) {
                  ++count;
                  return ones(i);
                });
    return count;
  };
  EXPECT_EQ(noisy_steps(), 0);
  config.schedule.timestep_spacing = "trailing";  // the only timestep is 1
  EXPECT_EQ(noisy_steps(), 1);
}

TEST(DdimSampler, StridesByWholeTimesteps) {
  auto config = halving("DDIMScheduler");
  config.schedule.num_train_timesteps = 3;
  config.schedule.trained_betas = {0.5, 0.5, 0.5};
  config.schedule.timestep_spacing =
      "trailing";  // 2 and 1, with a stride of 3 / 2 = 1
  // x_0 = (1 - sqrt(0.875) / 2) / sqrt(0.125) = 1.5055515; after timestep 1
  // comes 0, where alpha_bar is 0.5: sqrt(0.5) (x_0 + 0.5).
  EXPECT_NEAR(value_after(config, 0, 1), 1.4181390, 1e-6);
}

// DDIM with eta 1 is DDPM with the small variance (arXiv:2010.02502,
// section 4.1).
TEST(DdimSampler, WithEtaOneIsDdpm) {
  EXPECT_NEAR(value_after(halving("DDIMScheduler"), 1, 0),
              value_after(halving("DDPMScheduler"), 0, 0), 1e-6);
}

TEST(DdimSampler, EndsAtTheFirstAlphaIfToldSo) {
  auto config = halving("DDIMScheduler");
  config.schedule.set_alpha_to_one = false;
  // alpha_bar stays 0.5 in the last step, so nothing moves.
  EXPECT_NEAR(value_after(config, 0, 1), value_after(config, 0, 0), 1e-6);
}

TEST(DdimSampler, WithoutEtaAsksForNoNoise) {
  const auto no_noise = [](int64_t) -> at::Tensor {
    throw std::logic_error("asked");
  };
  const auto draw = [&] {
    return run_sampler(*make_sampler(halving("ddim"), 2), torch::ones({1, 1}),
                       half, no_noise);
  };
  EXPECT_TRUE(torch::equal(draw(), draw()));
}

TEST(Samplers, APerfectNetworkLeadsToTheSample) {
  torch::manual_seed(2);
  const auto x0 = torch::randn({2, 3, 4, 4}),
             start = torch::randn({2, 3, 4, 4});
  for (const auto* name : {"DDPMScheduler", "DDIMScheduler"})
    for (const auto* type : {"epsilon", "sample", "v_prediction"})
      for (const auto* spacing : {"leading", "linspace", "trailing"}) {
        SchedulerConfig config;
        config.class_name = name;
        config.schedule.prediction_type = type;
        config.schedule.timestep_spacing = spacing;
        const NoiseSchedule schedule(config.schedule);
        const auto perfect = [&](const at::Tensor& sample,
                                 const at::Tensor& timestep) {
          const auto t = timestep.to(torch::kLong);
          const double alpha_bar = schedule.alpha_bar(t[0].item<int64_t>());
          const auto noise =
              (sample - std::sqrt(alpha_bar) * x0) / std::sqrt(1 - alpha_bar);
          return prediction_target(type, schedule, x0, noise, t);
        };
        const auto noise = [&](int64_t) { return torch::randn_like(x0); };
        const auto end =
            run_sampler(*make_sampler(config, 8), start, perfect, noise);
        EXPECT_TRUE(torch::allclose(end, x0, 1e-3, 1e-3))
            << name << ' ' << type << ' ' << spacing;
      }
}

TEST(Samplers, NameTheStepWhereTheNetworkFails) {
  const auto fails_late = [](const at::Tensor& sample,
                             const at::Tensor& timestep) {
    return sample / timestep.view({-1, 1});  // 0 / 0 at timestep 0 alone
  };
  try {
    run_sampler(*make_sampler(halving("ddim"), 2), torch::zeros({1, 1}),
                fails_late, ones);
    FAIL() << "accepted";
  } catch (const DataError& error) {
    EXPECT_STREQ(error.what(),
                 "sampler: the network's output is not finite at step 2 of 2 "
                 "(timestep 0)");
  }
}

TEST(Samplers, RefuseUnknownNamesAndEtaWithoutUse) {
  EXPECT_THAT(refusal([] { sampler_class("lms"); }),
              HasSubstr("sampler: unknown sampler \"lms\"; known are ddpm "
                        "(DDPMScheduler), ddim (DDIMScheduler), euler"));
  EXPECT_EQ(refusal([] { make_sampler(halving("ddpm"), 2, 0.5); }),
            "sampler: only ddim has an eta, got 0.5");
  EXPECT_EQ(refusal([] { make_sampler(halving("ddim"), 2, 1.5); }),
            "sampler: eta must be in [0, 1], got 1.5");
}

TEST(SchedulerConfig, IsTheSameAfterSavingAndLoading) {
  const TempFolder folder;
  for (const auto* name : {"DDPMScheduler", "DDIMScheduler"}) {
    auto config = halving(name);
    config.schedule.rescale_betas_zero_snr = true;
    config.schedule.prediction_type = "v_prediction";
    config.schedule.clip_sample = false;
    write_scheduler_config(folder / "scheduler_config.json", config);
    const auto loaded = read_scheduler_config(folder / "scheduler_config.json");
    EXPECT_EQ(write_config(loaded), write_config(config));
  }
}

TEST(SchedulerConfig, WritesNoKeysOfAnotherClass) {
  EXPECT_FALSE(
      scheduler_to_json(halving("DDPMScheduler")).contains("set_alpha_to_one"));
  EXPECT_FALSE(
      scheduler_to_json(halving("DDIMScheduler")).contains("variance_type"));
}

TEST(SchedulerConfig, ReadsWhatDiffusersWrites) {
  const auto config = scheduler_from_json(
      parse_json(
          R"({"_class_name": "DDPMScheduler", "_diffusers_version": "0.8.0",
                     "beta_schedule": "squaredcos_cap_v2", "trained_betas": null})",
          "text"),
      "text");
  EXPECT_EQ(config.class_name, "DDPMScheduler");
  EXPECT_EQ(config.schedule.beta_schedule, "squaredcos_cap_v2");
  EXPECT_TRUE(config.schedule.clip_sample);  // what a missing key means there
}

TEST(SchedulerConfig, RefusesUnknownKeysAndClasses) {
  const auto message = [](const char* text) {
    return refusal(
        [&] { scheduler_from_json(parse_json(text, "s.json"), "s.json"); });
  };
  EXPECT_EQ(message(R"({"beta_stop": 0.1})"),
            "s.json: unknown key \"beta_stop\"; did you mean \"beta_start\"?");
  EXPECT_THAT(message(R"({"whatever_else": 1})"),
              HasSubstr("known are _class_name, num_"));
  EXPECT_THAT(message(R"({"_class_name": "LMSDiscreteScheduler"})"),
              HasSubstr("known are ddpm (DDPMScheduler)"));
}

TEST(SchedulerConfig, RefusesWhatTheClassCannotHave) {
  const auto message = [](const char* text) {
    return refusal(
        [&] { scheduler_from_json(parse_json(text, "s.json"), "s.json"); });
  };
  EXPECT_THAT(message(R"({"_class_name": "EulerDiscreteScheduler",
                          "variance_type": "fixed_small"})"),
              HasSubstr("s.json: EulerDiscreteScheduler has no key "
                        "\"variance_type\"; it has num_train_timesteps"));
  EXPECT_EQ(message(R"({"_class_name": "UniPCMultistepScheduler",
                        "solver_type": "bh1"})"),
            "s.json: solver_type of UniPCMultistepScheduler must be \"bh2\", "
            "got \"bh1\"");
  EXPECT_EQ(message(R"({"_class_name": "HeunDiscreteScheduler",
                        "use_karras_sigmas": true,
                        "use_exponential_sigmas": true})"),
            "schedule: use_karras_sigmas and use_exponential_sigmas exclude "
            "each other");
}

}  // namespace
}  // namespace calotype
