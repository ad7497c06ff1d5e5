#include "diffusion/samplers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"
#include "diffusion/ddim.h"
#include "diffusion/ddpm.h"
#include "diffusion/dpm_solver.h"
#include "diffusion/edm_sampler.h"
#include "diffusion/euler.h"
#include "diffusion/heun.h"
#include "diffusion/unipc.h"

namespace calotype {
namespace {

using Paths = std::vector<NoisePath>;

struct SamplerEntry {
  std::string name;
  Paths paths;
  std::unique_ptr<Sampler> (*make)(const ScheduleConfig& schedule,
                                   int64_t num_steps,
                                   const SamplerOptions& options);
};

template <class Made>
std::unique_ptr<Sampler> plain(const ScheduleConfig& schedule,
                               int64_t num_steps, const SamplerOptions&) {
  return std::make_unique<Made>(schedule, num_steps);
}

std::unique_ptr<Sampler> make_ddim(const ScheduleConfig& schedule,
                                   int64_t num_steps,
                                   const SamplerOptions& options) {
  return std::make_unique<DdimSampler>(schedule, num_steps, options.eta);
}

/// The name says which of the two; a file's algorithm_type chose the name.
std::unique_ptr<Sampler> make_dpm_solver(ScheduleConfig schedule,
                                         int64_t num_steps,
                                         const char* algorithm_type) {
  schedule.algorithm_type = algorithm_type;
  return std::make_unique<DpmSolverSampler>(schedule, num_steps);
}

std::unique_ptr<Sampler> make_ode(const ScheduleConfig& schedule,
                                  int64_t num_steps, const SamplerOptions&) {
  return make_dpm_solver(schedule, num_steps, "dpmsolver++");
}

std::unique_ptr<Sampler> make_sde(const ScheduleConfig& schedule,
                                  int64_t num_steps, const SamplerOptions&) {
  return make_dpm_solver(schedule, num_steps, "sde-dpmsolver++");
}

std::unique_ptr<Sampler> make_edm(const ScheduleConfig& schedule,
                                  int64_t num_steps,
                                  const SamplerOptions& options) {
  auto churned = schedule;
  churned.s_churn = options.churn.value_or(schedule.s_churn);
  return std::make_unique<EdmSampler>(churned, num_steps);
}

const std::vector<SamplerEntry>& known_samplers() {
  static const Paths kPreserving = {NoisePath::kVariancePreserving};
  static const Paths kNoFlow = {NoisePath::kVariancePreserving,
                                NoisePath::kVarianceExploding};
  static const Paths kAll = {NoisePath::kVariancePreserving,
                             NoisePath::kVarianceExploding, NoisePath::kFlow};
  static const std::vector<SamplerEntry> entries = {
      {"ddpm", kPreserving, plain<DdpmSampler>},
      {"ddim", kPreserving, make_ddim},
      {"euler", kAll, plain<EulerSampler>},
      {"euler_ancestral", kNoFlow, plain<EulerAncestralSampler>},
      {"heun", kAll, plain<HeunSampler>},
      {"dpmpp_2m", kAll, make_ode},
      {"dpmpp_2m_sde", kAll, make_sde},
      {"unipc", kAll, plain<UniPcSampler>},
      {"edm", kNoFlow, make_edm},
  };
  return entries;
}

const SamplerEntry& find_sampler(const std::string& name) {
  for (const auto& entry : known_samplers())
    if (name == entry.name) return entry;
  throw ConfigError(fmt::format("sampler: unknown sampler \"{}\"; known are {}",
                                name, fmt::join(sampler_names(), ", ")));
}

bool walks(const SamplerEntry& entry, NoisePath path) {
  return std::find(entry.paths.begin(), entry.paths.end(), path) !=
         entry.paths.end();
}

}  // namespace

std::vector<std::string> sampler_names() {
  std::vector<std::string> names;
  for (const auto& entry : known_samplers()) names.push_back(entry.name);
  return names;
}

std::vector<std::string> sampler_names(const ScheduleConfig& schedule) {
  std::vector<std::string> names;
  for (const auto& entry : known_samplers())
    if (walks(entry, noise_path(schedule))) names.push_back(entry.name);
  return names;
}

std::string usual_sampler(const ScheduleConfig& schedule) {
  switch (noise_path(schedule)) {
    case NoisePath::kFlow:
      return "euler";
    case NoisePath::kVarianceExploding:
      return "heun";
    default:
      return "ddim";
  }
}

void expect_walkable(const std::string& sampler,
                     const ScheduleConfig& schedule) {
  if (walks(find_sampler(sampler), noise_path(schedule))) return;
  throw ConfigError(fmt::format(
      "sampler: {} cannot walk a network of prediction_type {}; these can: {}",
      sampler, schedule.prediction_type,
      fmt::join(sampler_names(schedule), ", ")));
}

ScheduleConfig respaced(const ScheduleConfig& schedule,
                        const std::string& sampler,
                        const std::string& spacing) {
  if (spacing.empty()) return schedule;
  std::vector<std::string> known;
  switch (noise_path(schedule)) {
    case NoisePath::kFlow:
      break;
    case NoisePath::kVarianceExploding:
      known = {"karras", "exponential", "linear"};
      break;
    default:
      known = {"leading", "linspace", "trailing"};
      if (sampler != "ddpm" && sampler != "ddim")
        known.insert(known.end(), {"karras", "exponential"});
  }
  if (std::find(known.begin(), known.end(), spacing) == known.end())
    throw ConfigError(fmt::format(
        "sampler: {} cannot space the levels of a network of prediction_type "
        "{} {}; it can: {}",
        sampler, schedule.prediction_type, spacing,
        known.empty() ? "nothing but its own"
                      : fmt::format("{}", fmt::join(known, ", "))));
  auto changed = schedule;
  changed.use_karras_sigmas = spacing == "karras";
  changed.use_exponential_sigmas = spacing == "exponential";
  constexpr double kLargestSigma = 80;  // arXiv:2206.00364, table 1
  changed.largest_spaced_sigma = kLargestSigma;
  if (noise_path(schedule) == NoisePath::kVarianceExploding)
    changed.sigma_schedule = spacing;
  else if (spacing != "karras" && spacing != "exponential")
    changed.timestep_spacing = spacing;
  return changed;
}

std::unique_ptr<Sampler> make_sampler(const std::string& name,
                                      const ScheduleConfig& given,
                                      int64_t num_steps,
                                      const SamplerOptions& options) {
  given.validate();
  expect_walkable(name, given);
  const auto schedule = respaced(given, name, options.spacing);
  if (options.eta != 0 && name != "ddim")
    throw ConfigError(
        fmt::format("sampler: only ddim has an eta, got {}", options.eta));
  if (options.churn && name != "edm")
    throw ConfigError(
        fmt::format("sampler: only edm has a churn, got {}", *options.churn));
  return find_sampler(name).make(schedule, num_steps, options);
}

}  // namespace calotype
