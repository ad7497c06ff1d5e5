#include "diffusion/sampler.h"

#include <ATen/Functions.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "diffusion/ddim.h"
#include "diffusion/ddpm.h"
#include "diffusion/dpm_solver.h"
#include "diffusion/euler.h"
#include "diffusion/flow.h"
#include "diffusion/heun.h"
#include "diffusion/unipc.h"

namespace calotype {
namespace {

using Keys = std::vector<std::string>;

struct SamplerEntry {
  std::string name;        // on the command line
  std::string class_name;  // in scheduler_config.json
  Keys keys;               // of ScheduleConfig that this class has
  // Keys of files that have but one value here, which those files have unless
  // someone changed it; null where a file may leave it out.
  Json fixed;
  std::unique_ptr<Sampler> (*make)(const ScheduleConfig& config,
                                   int64_t num_steps, double eta);
};

template <class Made>
std::unique_ptr<Sampler> make_without_eta(const ScheduleConfig& config,
                                          int64_t num_steps, double eta) {
  if (eta != 0)
    throw ConfigError(
        fmt::format("sampler: only ddim has an eta, got {}", eta));
  return std::make_unique<Made>(config, num_steps);
}

std::unique_ptr<Sampler> make_ddim(const ScheduleConfig& config,
                                   int64_t num_steps, double eta) {
  return std::make_unique<DdimSampler>(config, num_steps, eta);
}

Keys operator+(Keys a, const Keys& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const std::vector<SamplerEntry>& known_samplers() {
  static const Keys kPath = {
      "num_train_timesteps", "beta_start",    "beta_end",
      "beta_schedule",       "trained_betas", "prediction_type",
      "timestep_spacing",    "steps_offset"};
  static const Keys kZeroSnr = {"rescale_betas_zero_snr"};
  static const Keys kClip = {"clip_sample", "clip_sample_range"};
  static const Keys kThreshold = {"thresholding", "dynamic_thresholding_ratio",
                                  "sample_max_value"};
  static const Keys kSpacing = {"use_karras_sigmas", "use_exponential_sigmas"};
  static const Keys kFinal = {"final_sigmas_type"};
  static const Json kPlain = {{"use_beta_sigmas", false},
                              {"interpolation_type", "linear"},
                              {"timestep_type", "discrete"},
                              {"sigma_min", nullptr},
                              {"sigma_max", nullptr}};
  static const Json kMultistep = {
      {"use_beta_sigmas", false},      {"use_lu_lambdas", false},
      {"use_flow_sigmas", false},      {"flow_shift", 1.0},
      {"lambda_min_clipped", nullptr}, {"variance_type", nullptr},
      {"lower_order_final", true},     {"euler_at_final", false},
      {"use_dynamic_shifting", false}, {"time_shift_type", "exponential"}};
  static const Json kDpm = [] {
    auto fixed = kMultistep;
    fixed["solver_type"] = "midpoint";
    return fixed;
  }();
  static const Json kUniPc = [] {
    auto fixed = kMultistep;
    fixed.update({{"solver_type", "bh2"},
                  {"predict_x0", true},
                  {"disable_corrector", Json::array()},
                  {"solver_p", nullptr},
                  {"sigma_min", nullptr},
                  {"sigma_max", nullptr},
                  {"shift_terminal", nullptr}});
    return fixed;
  }();
  static const Json kFlow = {{"use_dynamic_shifting", false},
                             {"base_shift", nullptr},
                             {"max_shift", nullptr},
                             {"base_image_seq_len", nullptr},
                             {"max_image_seq_len", nullptr},
                             {"invert_sigmas", false},
                             {"shift_terminal", nullptr},
                             {"use_karras_sigmas", false},
                             {"use_exponential_sigmas", false},
                             {"use_beta_sigmas", false},
                             {"time_shift_type", "exponential"},
                             {"stochastic_sampling", false}};
  static const Keys kFlowKeys = {"num_train_timesteps", "shift"};
  static const std::vector<SamplerEntry> entries = {
      {"ddpm",
       "DDPMScheduler",
       kPath + kZeroSnr + kClip + kThreshold + Keys{"variance_type"},
       {},
       make_without_eta<DdpmSampler>},
      {"ddim",
       "DDIMScheduler",
       kPath + kZeroSnr + kClip + kThreshold + Keys{"set_alpha_to_one"},
       {},
       make_ddim},
      {"euler", "EulerDiscreteScheduler", kPath + kZeroSnr + kSpacing + kFinal,
       kPlain, make_without_eta<EulerSampler>},
      {"euler_ancestral",
       "EulerAncestralDiscreteScheduler",
       kPath + kZeroSnr,
       {},
       make_without_eta<EulerAncestralSampler>},
      {"heun",
       "HeunDiscreteScheduler",
       kPath + kSpacing + kClip,
       {{"use_beta_sigmas", false}},
       make_without_eta<HeunSampler>},
      {"dpmpp_2m", "DPMSolverMultistepScheduler",
       kPath + kZeroSnr + kThreshold + kSpacing + kFinal +
           Keys{"solver_order", "algorithm_type"},
       kDpm, make_without_eta<DpmSolverSampler>},
      {"unipc", "UniPCMultistepScheduler",
       kPath + kZeroSnr + kThreshold + kSpacing + kFinal + Keys{"solver_order"},
       kUniPc, make_without_eta<UniPcSampler>},
      {"flow_euler", "FlowMatchEulerDiscreteScheduler", kFlowKeys, kFlow,
       make_without_eta<FlowEulerSampler>},
      {"flow_heun",
       "FlowMatchHeunDiscreteScheduler",
       kFlowKeys,
       {},
       make_without_eta<FlowHeunSampler>},
  };
  return entries;
}

const SamplerEntry& find_sampler(const std::string& name) {
  std::string names;
  for (const auto& entry : known_samplers()) {
    if (name == entry.name || name == entry.class_name) return entry;
    if (!names.empty()) names += ", ";
    names += fmt::format("{} ({})", entry.name, entry.class_name);
  }
  throw ConfigError(fmt::format("sampler: unknown sampler \"{}\"; known are {}",
                                name, names));
}

/// Leaves of `keys` those that are read. Throws ConfigError for a key that the
/// class does not have, and for one with a value that it cannot have here.
void take_keys(const SamplerEntry& entry, Json& keys,
               const std::string& where) {
  for (const auto& [key, value] : entry.fixed.items()) {
    if (!keys.contains(key)) continue;
    if (!value.is_null() && keys[key] != value)
      throw ConfigError(fmt::format("{}: {} of {} must be {}, got {}", where,
                                    key, entry.class_name, value.dump(),
                                    keys[key].dump()));
    keys.erase(key);
  }
  for (const auto& item : keys.items())
    if (item.key() != "_class_name" &&
        std::find(entry.keys.begin(), entry.keys.end(), item.key()) ==
            entry.keys.end())
      throw ConfigError(fmt::format("{}: {} has no key \"{}\"; it has {}",
                                    where, entry.class_name, item.key(),
                                    fmt::join(entry.keys, ", ")));
}

}  // namespace

at::Tensor Sampler::model_input(const at::Tensor& sample, int64_t) const {
  return sample;
}

at::Tensor run_sampler(
    Sampler& sampler, const at::Tensor& start, const Network& network,
    const NoiseSource& noise,
    const std::function<void(int64_t step_index, const at::Tensor& state)>&
        on_step) {
  auto state = start * sampler.initial_sigma();
  for (int64_t i = 0; i < sampler.num_steps(); ++i) {
    const double t = sampler.timesteps()[size_t(i)];
    const auto timestep = at::full({state.size(0)}, t, start.options());
    const auto output = network(sampler.model_input(state, i), timestep);
    if (!at::isfinite(output).all().item<bool>())
      throw DataError(
          fmt::format("sampler: the network's output is not finite at step {} "
                      "of {} (timestep {})",
                      i + 1, sampler.num_steps(), t));
    state = sampler.step(output, state, i, noise);
    if (on_step) on_step(i, state);
  }
  return state;
}

void SchedulerConfig::validate() const {
  find_sampler(class_name);
  schedule.validate();
}

SchedulerConfig scheduler_from_json(const Json& json,
                                    const std::string& where) {
  SchedulerConfig config;
  Json keys = json;
  if (json.is_object())
    for (const auto& item : json.items())
      if (item.key().starts_with("_") && item.key() != "_class_name")
        keys.erase(item.key());
  if (keys.is_object() && keys.contains("_class_name") &&
      keys["_class_name"].is_string())
    take_keys(find_sampler(keys["_class_name"].get<std::string>()), keys,
              where);
  // A file without the key is older than the key: it meant what diffusers does.
  const auto name = keys.is_object() ? keys.value("_class_name", "") : "";
  config.schedule.clip_sample =
      name.empty() || name == "DDPMScheduler" || name == "DDIMScheduler";
  read_config(keys, config, where);
  config.validate();
  return config;
}

Json scheduler_to_json(const SchedulerConfig& config) {
  const auto& entry = find_sampler(config.class_name);
  const auto all = write_config(config);
  Json json = {{"_class_name", entry.class_name}};
  for (const auto& key : entry.keys) json[key] = all.at(key);
  return json;
}

SchedulerConfig read_scheduler_config(const std::filesystem::path& path) {
  return scheduler_from_json(read_json_file(path), path.string());
}

void write_scheduler_config(const std::filesystem::path& path,
                            const SchedulerConfig& config) {
  write_file_atomic(path, scheduler_to_json(config).dump(2) + "\n");
}

std::string sampler_class(const std::string& name) {
  return find_sampler(name).class_name;
}

std::unique_ptr<Sampler> make_sampler(const SchedulerConfig& config,
                                      int64_t num_steps, double eta) {
  return find_sampler(config.class_name).make(config.schedule, num_steps, eta);
}

}  // namespace calotype
