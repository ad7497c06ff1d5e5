#include "diffusion/scheduler_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "core/note.h"
#include "diffusion/samplers.h"
#include "diffusion/scheduler_classes.h"
#include "diffusion/scheduler_keys.h"

namespace calotype {
namespace {

bool holds(const std::vector<std::string>& keys, const std::string& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

/// Takes the keys of `entry` that have but one value here, or say nothing, out
/// of `keys`.
void take_fixed(const SchedulerClass& entry, Json& keys,
                const std::string& where) {
  for (const auto& [key, value] : entry.fixed.items()) {
    if (!keys.contains(key)) continue;
    if (keys[key] != value)
      throw ConfigError(fmt::format("{}: {} of {} must be {}, got {}", where,
                                    key, entry.name, json_text(value),
                                    json_text(keys[key])));
    keys.erase(key);
  }
  for (const auto& key : entry.unused) keys.erase(key);
}

/// Takes keys of other classes out of `keys`, which may stand there at their
/// defaults: run.json of earlier versions holds them all.
void take_foreign(const SchedulerClass& entry, Json& keys,
                  const std::string& where) {
  const auto defaults = write_config(ScheduleConfig());
  for (const auto& [key, value] : defaults.items()) {
    if (!keys.contains(key) || holds(entry.keys, key)) continue;
    if (keys[key] != value)
      throw ConfigError(fmt::format("{}: {} has no key \"{}\"; it has {}",
                                    where, entry.name, key,
                                    fmt::join(entry.keys, ", ")));
    keys.erase(key);
  }
}

/// Multistep classes walk flows too, and have keys of their own for them.
bool spells_flow(const SchedulerClass& entry) {
  return entry.prediction.empty() && holds(entry.keys, "shift");
}

struct FlowKeys {
  bool use_flow_sigmas = false;
  double flow_shift = 1;
};

template <class Visitor>
void visit_fields(FlowKeys& c, Visitor&& visit) {
  visit("use_flow_sigmas", c.use_flow_sigmas);
  visit("flow_shift", c.flow_shift);
}

FlowKeys take_flow_keys(const SchedulerClass& entry, Json& keys,
                        const std::string& where) {
  FlowKeys flow;
  Json own = Json::object();
  for (const auto* key : {"use_flow_sigmas", "flow_shift"}) {
    if (keys.contains(key)) own[key] = keys[key];
    keys.erase(key);
  }
  read_config(own, flow, where);
  if (keys.contains("shift") && keys["shift"] != ScheduleConfig().shift)
    throw ConfigError(fmt::format(
        "{}: {} has no key \"shift\" but \"flow_shift\"", where, entry.name));
  keys.erase("shift");
  return flow;
}

/// Whether the class of diffusers has the key, or had it.
bool has_key(const SchedulerClass& entry, const std::string& key) {
  if (spells_flow(entry)) {
    if (key == "shift") return false;
    if (key == "use_flow_sigmas" || key == "flow_shift") return true;
  }
  return key == "_class_name" || holds(entry.keys, key) ||
         holds(entry.unused, key) || entry.fixed.contains(key);
}

/// The keys of a file that diffusers would give to `entry`: null stands for the
/// default, and keys of other classes are left out, as they are there.
Json published_keys(const SchedulerClass& entry, const Json& file,
                    const std::string& where) {
  // What prediction_type says today: the one old key that would be obeyed.
  if (file.value("predict_epsilon", Json()) == false)
    throw ConfigError(where +
                      ": predict_epsilon must be true, got false; say "
                      "\"prediction_type\": \"sample\" instead");
  Json keys = Json::object();
  for (const auto& [key, value] : file.items()) {
    if (has_key(entry, key)) {
      if (!value.is_null()) keys[key] = value;
    } else if (!key.starts_with('_') && !is_scheduler_key(key)) {
      note(fmt::format("{}: no scheduler has the key {}, which is left out; {}",
                       where, json_text(key), key_advice(key, entry.keys)));
    }
  }
  return keys;
}

/// Python's infinities, which JSON does not have, become null.
std::string without_infinities(std::string text) {
  for (const std::string infinity : {"-Infinity", "Infinity"})
    for (auto at = text.find(": " + infinity); at != std::string::npos;
         at = text.find(": " + infinity))
      text.replace(at + 2, infinity.size(), "null");
  return text;
}

}  // namespace

void SchedulerConfig::validate() const {
  schedule.validate();
  const auto& entry = find_scheduler_class(class_name);
  const auto& type = schedule.prediction_type;
  const auto path = noise_path(schedule);
  const bool fits = entry.prediction.empty()
                        ? path == NoisePath::kVariancePreserving ||
                              (path == NoisePath::kFlow && spells_flow(entry))
                        : type == entry.prediction;
  if (!fits)
    throw ConfigError(fmt::format(
        "scheduler: {} has no prediction_type {}; flow_prediction goes with "
        "FlowMatchEulerDiscreteScheduler, edm with EDMEulerScheduler",
        class_name, type));
  if (schedule.beta_schedule == "sigmoid" && class_name != "DDPMScheduler")
    throw ConfigError(
        fmt::format("scheduler: {} has no beta_schedule sigmoid; DDPMScheduler "
                    "has, and any sampler may walk it",
                    class_name));
  if (schedule.sigma_schedule == "linear" && class_name.starts_with("EDM"))
    throw ConfigError(fmt::format(
        "scheduler: {} has no sigma_schedule linear; "
        "CalotypeEDMStochasticScheduler has, and generate --spacing",
        class_name));
}

std::string sampler_of(const SchedulerConfig& config) {
  const auto& name = find_scheduler_class(config.class_name).sampler;
  return name == "dpmpp_2m" &&
                 config.schedule.algorithm_type == "sde-dpmsolver++"
             ? "dpmpp_2m_sde"
             : name;
}

void read_config(const Json& json, SchedulerConfig& config,
                 const std::string& where) {
  if (!json.is_object())
    throw ConfigError(
        fmt::format("{}: expected {{...}}, got {}", where, json_text(json)));
  Json keys = json;
  if (keys.contains("_class_name")) {
    read_config(keys["_class_name"], config.class_name,
                where + ": _class_name");
    keys.erase("_class_name");
  }
  const auto& entry = find_scheduler_class(config.class_name);
  FlowKeys flow;
  if (spells_flow(entry)) flow = take_flow_keys(entry, keys, where);
  take_fixed(entry, keys, where);
  take_foreign(entry, keys, where);
  if (!entry.prediction.empty()) keys["prediction_type"] = entry.prediction;
  Json filled = entry.defaults;
  filled.update(keys);
  read_config(filled, config.schedule, where);
  if (!spells_flow(entry)) return;
  config.schedule.shift = flow.flow_shift;
  if (flow.use_flow_sigmas != (noise_path(config.schedule) == NoisePath::kFlow))
    throw ConfigError(fmt::format(
        "{}: use_flow_sigmas and a prediction_type of flow_prediction need "
        "each other, got {} and {}",
        where, flow.use_flow_sigmas, config.schedule.prediction_type));
}

Json write_config(const SchedulerConfig& config) {
  const auto& entry = find_scheduler_class(config.class_name);
  const auto all = write_config(config.schedule);
  Json json = {{"_class_name", entry.name}};
  for (const auto& key : entry.keys) json[key] = all.at(key);
  if (entry.fixed.contains("prediction_type"))
    json["prediction_type"] = entry.fixed["prediction_type"];
  if (spells_flow(entry)) {
    json["use_flow_sigmas"] =
        config.schedule.prediction_type == "flow_prediction";
    json["flow_shift"] = json["shift"];
    json.erase("shift");
  }
  return json;
}

std::string usual_spacing(const SchedulerConfig& config,
                          const std::string& sampler) {
  const bool trapezoid = sampler == "heun" || sampler == "edm";
  return trapezoid &&
                 noise_path(config.schedule) ==
                     NoisePath::kVariancePreserving &&
                 find_scheduler_class(config.class_name).sampler != sampler
             ? "karras"
             : "";
}

SchedulerConfig parse_scheduler_config(std::string text,
                                       const std::string& where) {
  const auto file = parse_json(without_infinities(std::move(text)), where);
  if (!file.is_object())
    throw DataError(
        fmt::format("{}: expected {{...}}, got {}", where, json_text(file)));
  SchedulerConfig config;
  if (file.contains("_class_name"))
    read_config(file["_class_name"], config.class_name, where);
  const auto& entry = find_scheduler_class(config.class_name);
  read_config(published_keys(entry, file, where), config, where);
  // A file without the key is older than the key: it meant what diffusers does.
  if (!file.contains("clip_sample") && holds(entry.keys, "clip_sample"))
    config.schedule.clip_sample = config.class_name != "HeunDiscreteScheduler";
  config.validate();
  return config;
}

SchedulerConfig read_scheduler_config(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path))
    throw ConfigError(path.string() + ": there is no such file");
  return parse_scheduler_config(read_text_file(path), path.string());
}

void write_scheduler_config(const std::filesystem::path& path,
                            const SchedulerConfig& config) {
  write_file_atomic(path, json_text(write_config(config), 2) + "\n");
}

}  // namespace calotype
