#include "models/convert/project_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"
#include "core/note.h"
#include "models/convert/yaml.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

bool is_yaml(const fs::path& path) {
  return path.extension() == ".yaml" || path.extension() == ".yml";
}

/// diffusers', whose keys are not the project's.
bool is_of_diffusers(const Json& json) {
  return json.contains("_class_name");
}

std::vector<fs::path> yaml_files(const fs::path& folder,
                                 const std::string& ending = "") {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; at != end;
       at.increment(error))
    if (is_yaml(at->path()) && at->path().string().ends_with(ending))
      files.push_back(at->path());
  std::ranges::sort(files);
  return files;
}

}  // namespace

ProjectConfig read_project_config(const fs::path& path) {
  auto json = is_yaml(path) ? read_yaml_file(path) : read_json_file(path);
  if (!json.is_object())
    throw DataError(path.string() +
                    ": expected a configuration, a mapping of keys to values");
  return {.path = path, .json = std::move(json)};
}

ProjectConfig find_project_config(const fs::path& checkpoint) {
  const bool is_folder = fs::is_directory(checkpoint);
  const auto folder =
      is_folder ? checkpoint : fs::absolute(checkpoint).parent_path();
  std::vector<std::string> stems;
  if (!is_folder) stems.push_back(checkpoint.stem().string());
  stems.insert(stems.end(), {"config", "model"});
  for (const auto& stem : stems)
    for (const char* ending : {".yaml", ".yml", ".json"}) {
      const auto path = folder / (stem + ending);
      if (!fs::is_regular_file(path)) continue;
      auto found = read_project_config(path);
      if (!is_of_diffusers(found.json)) return found;
    }
  auto others = yaml_files(folder / ".." / "configs", "-project.yaml");
  if (others.empty()) others = yaml_files(folder);
  if (others.size() == 1) return read_project_config(others.front());
  if (others.size() > 1)
    note(
        fmt::format("{}: {} configurations beside it, none is taken; name one "
                    "with --config",
                    checkpoint.string(), others.size()));
  return {};
}

std::string project_target(const Json& project) {
  for (const auto* key : {"target", "class_path"}) {
    const auto value = value_at(project, {"model", key});
    if (value.is_string()) return value.get<std::string>();
  }
  const auto value = value_at(project, {"target"});
  return value.is_string() ? value.get<std::string>() : "";
}

Json constructor_arguments(const Json& project, const std::string& class_name) {
  if (!project.is_object()) return Json::object();
  for (const auto& keys :
       std::vector<std::vector<std::string>>{{"model", "params"},
                                             {"model", "init_args"},
                                             {"params"},
                                             {class_name}})
    if (const auto value = value_at(project, keys); value.is_object())
      return value;
  return project;
}

Json value_at(const Json& json, const std::vector<std::string>& keys) {
  const Json* at = &json;
  for (const auto& key : keys) {
    if (!at->is_object()) return nullptr;
    const auto found = at->find(key);
    if (found == at->end()) return nullptr;
    at = &*found;
  }
  return *at;
}

namespace {

/// Throws for what is no number.
Json checked_number(const Json& json, const std::vector<std::string>& keys,
                    const std::string& where, bool whole) {
  auto value = value_at(json, keys);
  const bool fits = whole ? value.is_number_integer() : value.is_number();
  if (!value.is_null() && !fits)
    throw ConfigError(fmt::format("{}: {} must be a {}number, got {}", where,
                                  fmt::join(keys, "."), whole ? "whole " : "",
                                  json_text(value)));
  return value;
}

}  // namespace

std::optional<int64_t> whole_at(const Json& json,
                                const std::vector<std::string>& keys,
                                const std::string& where) {
  const auto value = checked_number(json, keys, where, /*whole=*/true);
  if (value.is_null()) return {};
  return value.get<int64_t>();
}

std::optional<double> number_at(const Json& json,
                                const std::vector<std::string>& keys,
                                const std::string& where) {
  const auto value = checked_number(json, keys, where, /*whole=*/false);
  if (value.is_null()) return {};
  return value.get<double>();
}

bool flag_at(const Json& json, const std::vector<std::string>& keys,
             bool otherwise) {
  const auto value = value_at(json, keys);
  return value.is_boolean() ? value.get<bool>() : otherwise;
}

}  // namespace calotype
