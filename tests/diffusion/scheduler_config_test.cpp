#include "diffusion/scheduler_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/note.h"
#include "diffusion/scheduler_classes.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::HasSubstr;

SchedulerConfig parsed(const char* text) {
  return parse_scheduler_config(text, "s.json");
}

std::string message(const char* text) {
  return message_of<ConfigError>([&] { parsed(text); });
}

/// A schedule in which no key is at its default that `entry` has.
ScheduleConfig unusual(const SchedulerClass& entry) {
  ScheduleConfig other;
  other.num_train_timesteps = 500;
  other.beta_start = 0.001;
  other.beta_end = 0.03;
  other.beta_schedule = "scaled_linear";
  other.rescale_betas_zero_snr = true;
  other.prediction_type = "v_prediction";
  other.timestep_spacing = "trailing";
  other.steps_offset = 1;
  other.clip_sample = true;
  other.clip_sample_range = 2;
  other.thresholding = true;
  other.dynamic_thresholding_ratio = 0.9;
  other.sample_max_value = 3;
  other.variance_type = "fixed_large";
  other.set_alpha_to_one = false;
  other.use_karras_sigmas = true;
  other.final_sigmas_type = "sigma_min";
  other.solver_order = 1;
  other.algorithm_type = "sde-dpmsolver++";
  other.shift = 3;
  other.sigma_min = 0.01;
  other.sigma_max = 50;
  other.sigma_data = 1;
  other.sigma_schedule = "exponential";
  other.rho = 5;
  other.s_churn = 10;
  other.s_tmin = 0.1;
  other.s_tmax = 20;
  other.s_noise = 1;
  ScheduleConfig config;
  auto json = write_config(config);
  const auto changed = write_config(other);
  for (const auto& key : entry.keys) json[key] = changed.at(key);
  if (!entry.prediction.empty()) json["prediction_type"] = entry.prediction;
  read_config(json, config, "test");
  return config;
}

TEST(SchedulerConfig, OfEveryClassIsTheSameAfterSavingAndLoading) {
  const TempFolder folder;
  for (const auto& entry : scheduler_classes()) {
    const SchedulerConfig config{entry.name, unusual(entry)};
    write_scheduler_config(folder / "scheduler_config.json", config);
    const auto loaded = read_scheduler_config(folder / "scheduler_config.json");
    EXPECT_EQ(loaded.class_name, entry.name);
    EXPECT_EQ(write_config(loaded.schedule), write_config(config.schedule))
        << entry.name;
  }
}

// What the classes of diffusers take where a file does not say.
TEST(SchedulerConfig, FillsInTheDefaultsOfItsClass) {
  EXPECT_EQ(
      parsed(R"({"_class_name": "DDIMScheduler"})").schedule.timestep_spacing,
      "leading");
  for (const char* text : {R"({"_class_name": "EulerDiscreteScheduler"})",
                           R"({"_class_name": "UniPCMultistepScheduler"})"})
    EXPECT_EQ(parsed(text).schedule.timestep_spacing, "linspace");
  EXPECT_EQ(
      parsed(R"({"_class_name": "HeunDiscreteScheduler"})").schedule.beta_end,
      0.012);
}

TEST(SchedulerConfig, NamesTheSamplerOfItsClass) {
  EXPECT_EQ(sampler_of(parsed(R"({"_class_name": "UniPCMultistepScheduler"})")),
            "unipc");
  EXPECT_EQ(sampler_of(parsed(R"({"_class_name": "DPMSolverMultistepScheduler",
                            "algorithm_type": "sde-dpmsolver++"})")),
            "dpmpp_2m_sde");
}

TEST(SchedulerConfig, MultistepClassesSpellFlowsInTheirOwnKeys) {
  const TempFolder folder;
  const auto config = parsed(R"({"_class_name": "UniPCMultistepScheduler",
                 "use_flow_sigmas": true, "flow_shift": 3.0,
                 "prediction_type": "flow_prediction"})");
  EXPECT_EQ(config.schedule.shift, 3);
  const auto written = write_config(config);
  EXPECT_EQ(written["use_flow_sigmas"], true);
  EXPECT_EQ(written["flow_shift"], 3.0);
  EXPECT_FALSE(written.contains("shift"));
}

TEST(SchedulerConfig, WritesNoKeysOfAnotherClass) {
  SchedulerConfig config;
  EXPECT_FALSE(write_config(config).contains("variance_type"));
  config.class_name = "DDPMScheduler";
  EXPECT_FALSE(write_config(config).contains("set_alpha_to_one"));
}

TEST(SchedulerConfig, ReadsWhatDiffusersWrites) {
  const auto config = parsed(
      R"({"_class_name": "DDPMScheduler", "_diffusers_version": "0.8.0",
          "beta_schedule": "squaredcos_cap_v2", "trained_betas": null})");
  EXPECT_EQ(config.class_name, "DDPMScheduler");
  EXPECT_EQ(config.schedule.beta_schedule, "squaredcos_cap_v2");
  EXPECT_TRUE(config.schedule.clip_sample);  // what a missing key means there
  // Python's infinity is no JSON.
  EXPECT_EQ(parsed(R"({"_class_name": "DPMSolverMultistepScheduler",
                       "lambda_min_clipped": -Infinity, "solver_order": 1})")
                .schedule.solver_order,
            1);
  EXPECT_EQ(parsed(R"({"_class_name": "EDMEulerScheduler",
                       "prediction_type": "epsilon"})")
                .schedule.prediction_type,
            "edm");
}

TEST(SchedulerConfig, TakesKeysOfOtherClassesAtTheirDefaults) {
  // run.json once held the keys of all classes.
  SchedulerConfig config;
  auto everything = write_config(config.schedule);
  everything["_class_name"] = "DDIMScheduler";
  EXPECT_EQ(message_of<ConfigError>(
                [&] { read_config(everything, config, "run.json"); }),
            "nothing thrown");
  everything["variance_type"] = "fixed_large";
  EXPECT_THAT(
      message_of<ConfigError>(
          [&] { read_config(everything, config, "run.json"); }),
      HasSubstr("run.json: DDIMScheduler has no key \"variance_type\"; it has "
                "num_train_timesteps, beta_start"));
}

std::string strict_message(const char* text) {
  return message_of<ConfigError>([&] {
    SchedulerConfig config;
    read_config(Json::parse(text), config, "c.json");
  });
}

// As they are published; what others have in them is diffusers' to ignore.
TEST(SchedulerConfig, LeavesOutKeysOfOtherSchedulersWithoutAWord) {
  take_notes();
  testing::internal::CaptureStderr();
  const auto euler = parsed(
      R"({"_class_name": "EulerDiscreteScheduler", "beta_end": 0.012,
          "beta_schedule": "scaled_linear", "beta_start": 0.00085,
          "clip_sample": true, "interpolation_type": "linear",
          "prediction_type": "epsilon", "sample_max_value": 3.0,
          "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1,
          "timestep_spacing": "leading", "trained_betas": null,
          "use_karras_sigmas": false, "variance_type": "fixed_large"})");
  EXPECT_FALSE(euler.schedule.clip_sample);
  EXPECT_EQ(euler.schedule.steps_offset, 1);
  EXPECT_EQ(euler.schedule.sample_max_value, 1);
  EXPECT_EQ(euler.schedule.variance_type, "fixed_small");
  const auto unipc =
      parsed(R"({"_class_name": "UniPCMultistepScheduler", "shift": 3.0})");
  EXPECT_EQ(unipc.schedule.shift, 1);
  const auto ddim =
      parsed(R"({"_class_name": "DDIMScheduler", "skip_prk_steps": true,
                 "use_karras_sigmas": true, "timestep_spacing": null})");
  EXPECT_FALSE(ddim.schedule.use_karras_sigmas);
  EXPECT_EQ(ddim.schedule.timestep_spacing, "leading");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(SchedulerConfig, NamesAKeyThatNoSchedulerHas) {
  take_notes();
  testing::internal::CaptureStderr();
  parsed(R"({"beta_stop": 0.1})");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "s.json: no scheduler has the key \"beta_stop\", which is left "
            "out; did you mean \"beta_start\"?\n");
}

TEST(SchedulerConfig, RefusesTheOldWordForPredictingTheImage) {
  EXPECT_EQ(message(R"({"_class_name": "DDPMScheduler",
                        "predict_epsilon": true, "tensor_format": "pt"})"),
            "nothing thrown");
  EXPECT_THAT(message(R"({"_class_name": "DDPMScheduler",
                          "predict_epsilon": false})"),
              HasSubstr("s.json: predict_epsilon must be true, got false"));
}

TEST(SchedulerConfig, OfATrainingRefusesUnknownKeys) {
  EXPECT_EQ(strict_message(R"({"beta_stop": 0.1})"),
            "c.json: unknown key \"beta_stop\"; did you mean \"beta_start\"?");
  EXPECT_THAT(strict_message(R"({"whatever_else": 1})"),
              HasSubstr("known are num_train_timesteps, "));
  EXPECT_THAT(strict_message(R"({"_class_name": "EulerDiscreteScheduler",
                                 "variance_type": "fixed_large"})"),
              HasSubstr("c.json: EulerDiscreteScheduler has no key "
                        "\"variance_type\"; it has num_train_timesteps"));
  EXPECT_THAT(strict_message(R"({"_class_name": "UniPCMultistepScheduler",
                                 "shift": 3})"),
              HasSubstr("has no key \"shift\" but \"flow_shift\""));
}

TEST(SchedulerConfig, RefusesUnknownClasses) {
  EXPECT_THAT(
      message(R"({"_class_name": "LMSDiscreteScheduler"})"),
      HasSubstr("scheduler: unknown _class_name \"LMSDiscreteScheduler\"; "
                "known are DDPMScheduler, DDIMScheduler, Euler"));
  EXPECT_EQ(message_of<DataError>([] { parsed("[1]"); }),
            "s.json: expected {...}, got [1]");
}

TEST(SchedulerConfig, RefusesWhatTheClassCannotHave) {
  EXPECT_EQ(message(R"({"_class_name": "UniPCMultistepScheduler",
                        "solver_type": "bh1"})"),
            "s.json: solver_type of UniPCMultistepScheduler must be \"bh2\", "
            "got \"bh1\"");
  EXPECT_EQ(message(R"({"_class_name": "HeunDiscreteScheduler",
                        "use_karras_sigmas": true,
                        "use_exponential_sigmas": true})"),
            "schedule: use_karras_sigmas and use_exponential_sigmas exclude "
            "each other");
  EXPECT_THAT(message(R"({"_class_name": "DDIMScheduler",
                          "prediction_type": "flow_prediction"})"),
              HasSubstr("scheduler: DDIMScheduler has no prediction_type "
                        "flow_prediction"));
  EXPECT_THAT(message(R"({"_class_name": "UniPCMultistepScheduler",
                          "use_flow_sigmas": true})"),
              HasSubstr("use_flow_sigmas and a prediction_type of "
                        "flow_prediction need each other, got true and "
                        "epsilon"));
  EXPECT_THAT(message(R"({"_class_name": "UniPCMultistepScheduler",
                          "use_flow_sigmas": 1})"),
              HasSubstr("use_flow_sigmas: expected true or false, got 1"));
  EXPECT_THAT(message(R"({"_class_name": "DDIMScheduler",
                          "beta_schedule": "sigmoid"})"),
              HasSubstr("DDIMScheduler has no beta_schedule sigmoid"));
  EXPECT_THAT(message(R"({"_class_name": "EDMEulerScheduler",
                          "sigma_schedule": "linear"})"),
              HasSubstr("EDMEulerScheduler has no sigma_schedule linear"));
}

}  // namespace
}  // namespace calotype
