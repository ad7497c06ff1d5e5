#include "diffusion/sampler.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include "core/error.h"
#include "core/files.h"
#include "diffusion/ddim.h"
#include "diffusion/ddpm.h"

namespace calotype {
namespace {

using Maker = std::unique_ptr<Sampler> (*)(const ScheduleConfig& config,
                                           int64_t num_steps, double eta);

std::unique_ptr<Sampler> make_ddpm(const ScheduleConfig& config,
                                   int64_t num_steps, double eta) {
  if (eta != 0)
    throw ConfigError(
        fmt::format("sampler: ddpm has no eta, got {}; ddim has", eta));
  return std::make_unique<DdpmSampler>(config, num_steps);
}

std::unique_ptr<Sampler> make_ddim(const ScheduleConfig& config,
                                   int64_t num_steps, double eta) {
  return std::make_unique<DdimSampler>(config, num_steps, eta);
}

struct SamplerEntry {
  std::string name;                       // on the command line
  std::string class_name;                 // in scheduler_config.json
  std::vector<std::string> foreign_keys;  // keys that this class does not have
  Maker make;
};

const std::vector<SamplerEntry>& known_samplers() {
  static const std::vector<SamplerEntry> entries = {
      {"ddpm", "DDPMScheduler", {"set_alpha_to_one"}, make_ddpm},
      {"ddim", "DDIMScheduler", {"variance_type"}, make_ddim},
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
  // A file without the key is older than the key: it meant what diffusers does.
  config.schedule.clip_sample = true;
  Json keys = json;
  if (json.is_object())
    for (const auto& item : json.items())
      if (item.key().starts_with("_") && item.key() != "_class_name")
        keys.erase(item.key());
  read_config(keys, config, where);
  config.validate();
  return config;
}

Json scheduler_to_json(const SchedulerConfig& config) {
  const auto& entry = find_sampler(config.class_name);
  Json json = write_config(config);
  json["_class_name"] = entry.class_name;
  for (const auto& key : entry.foreign_keys) json.erase(key);
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
