#include "diffusion/scheduler_classes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace calotype {
namespace {

using Keys = std::vector<std::string>;

Keys operator+(Keys a, const Keys& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const Keys kPath = {"num_train_timesteps", "beta_start",    "beta_end",
                    "beta_schedule",       "trained_betas", "prediction_type",
                    "timestep_spacing",    "steps_offset"};
const Keys kZeroSnr = {"rescale_betas_zero_snr"};
const Keys kClip = {"clip_sample", "clip_sample_range"};
const Keys kThreshold = {"thresholding", "dynamic_thresholding_ratio",
                         "sample_max_value"};
const Keys kSpacing = {"use_karras_sigmas", "use_exponential_sigmas"};
const Keys kFinal = {"final_sigmas_type"};
const Keys kFlow = {"num_train_timesteps", "shift"};
const Keys kEdm = {"num_train_timesteps", "sigma_min",      "sigma_max",
                   "sigma_data",          "sigma_schedule", "rho",
                   "final_sigmas_type"};
const Keys kChurn = {"s_churn", "s_tmin", "s_tmax", "s_noise"};
const Keys kMultistep = kPath + kZeroSnr + kThreshold + kSpacing + kFinal +
                        Keys{"solver_order", "shift"};

// Multistep classes have one key more of their own each.
Json multistep_fixed(Json own) {
  Json fixed = {{"use_beta_sigmas", false},
                {"use_dynamic_shifting", false},
                {"lower_order_final", true}};
  fixed.update(own);
  return fixed;
}

std::vector<SchedulerClass> all_classes() {
  const Json linspace = {{"timestep_spacing", "linspace"}};
  const Json predicts_epsilon = {{"prediction_type", "epsilon"}};
  return {
      {"DDPMScheduler", "ddpm", "",
       kPath + kZeroSnr + kClip + kThreshold + Keys{"variance_type"}},
      {"DDIMScheduler", "ddim", "",
       kPath + kZeroSnr + kClip + kThreshold + Keys{"set_alpha_to_one"}},
      {"EulerDiscreteScheduler",
       "euler",
       "",
       kPath + kZeroSnr + kSpacing + kFinal,
       {{"use_beta_sigmas", false},
        {"interpolation_type", "linear"},
        {"timestep_type", "discrete"},
        {"sigma_min", nullptr},
        {"sigma_max", nullptr}},
       {},
       linspace},
      {"EulerAncestralDiscreteScheduler",
       "euler_ancestral",
       "",
       kPath + kZeroSnr,
       Json::object(),
       {},
       linspace},
      {"HeunDiscreteScheduler",
       "heun",
       "",
       kPath + kSpacing + kClip,
       {{"use_beta_sigmas", false}},
       {},
       {{"timestep_spacing", "linspace"},
        {"beta_start", 0.00085},
        {"beta_end", 0.012}}},
      {"DPMSolverMultistepScheduler",
       "dpmpp_2m",
       "",
       kMultistep + Keys{"algorithm_type"},
       multistep_fixed({{"solver_type", "midpoint"},
                        {"use_lu_lambdas", false},
                        {"euler_at_final", false},
                        {"lambda_min_clipped", nullptr}}),
       {"variance_type", "time_shift_type"},
       linspace},
      {"UniPCMultistepScheduler",
       "unipc",
       "",
       kMultistep,
       multistep_fixed({{"solver_type", "bh2"},
                        {"predict_x0", true},
                        {"disable_corrector", Json::array()},
                        {"solver_p", nullptr},
                        {"sigma_min", nullptr},
                        {"sigma_max", nullptr},
                        {"shift_terminal", nullptr}}),
       {"time_shift_type"},
       linspace},
      {"FlowMatchEulerDiscreteScheduler",
       "euler",
       "flow_prediction",
       kFlow,
       {{"use_dynamic_shifting", false},
        {"invert_sigmas", false},
        {"shift_terminal", nullptr},
        {"use_karras_sigmas", false},
        {"use_exponential_sigmas", false},
        {"use_beta_sigmas", false},
        {"stochastic_sampling", false}},
       {"base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len",
        "time_shift_type"}},
      {"FlowMatchHeunDiscreteScheduler", "heun", "flow_prediction", kFlow},
      {"EDMEulerScheduler", "euler", "edm", kEdm, predicts_epsilon},
      {"EDMDPMSolverMultistepScheduler",
       "dpmpp_2m",
       "edm",
       kEdm + kThreshold + Keys{"solver_order", "algorithm_type"},
       {{"prediction_type", "epsilon"},
        {"solver_type", "midpoint"},
        {"lower_order_final", true},
        {"euler_at_final", false}}},
      {"CalotypeEDMStochasticScheduler", "edm", "edm", kEdm + kChurn,
       predicts_epsilon},
  };
}

}  // namespace

const std::vector<SchedulerClass>& scheduler_classes() {
  static const auto classes = all_classes();
  return classes;
}

const SchedulerClass& find_scheduler_class(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& entry : scheduler_classes()) {
    if (name == entry.name) return entry;
    names.push_back(entry.name);
  }
  throw ConfigError(
      fmt::format("scheduler: unknown _class_name \"{}\"; known are {}", name,
                  fmt::join(names, ", ")));
}

}  // namespace calotype
