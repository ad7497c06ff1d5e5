#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"

// The configuration that a project keeps beside its checkpoints: what the
// weights do not say of a model.
namespace calotype {

/// One, or nothing: null.
struct ProjectConfig {
  std::filesystem::path path;
  Json json;

  bool is_there() const { return !json.is_null(); }
};

/// YAML by its ending (.yaml, .yml), else JSON. Throws ConfigError if it is not
/// there, DataError if it is neither a mapping.
ProjectConfig read_project_config(const std::filesystem::path& path);

/// That of a checkpoint: of its name (last.yaml beside last.ckpt), config.* or
/// model.*, Lightning's ../configs/*-project.yaml, or the only .yaml there is
/// beside it; null if there is none. A config.json of diffusers' is none.
ProjectConfig find_project_config(const std::filesystem::path& checkpoint);

/// What the model is called in it: model.target (LDM, taming) or
/// model.class_path (Lightning's command line), "" without.
std::string project_target(const Json& project);

/// The arguments of a constructor: model.params, model.init_args, what stands
/// under `class_name`, or the whole; an empty object without a configuration.
Json constructor_arguments(const Json& project,
                           const std::string& class_name = "");

/// What `keys` lead to, one inside the other; null where that ends.
Json value_at(const Json& json, const std::vector<std::string>& keys);

/// A number of a configuration; nothing where it is not given. Throws
/// ConfigError for another type; `where` leads the message.
std::optional<int64_t> whole_at(const Json& json,
                                const std::vector<std::string>& keys,
                                const std::string& where);
std::optional<double> number_at(const Json& json,
                                const std::vector<std::string>& keys,
                                const std::string& where);

/// Whether a switch is on; `otherwise` where it is not given.
bool flag_at(const Json& json, const std::vector<std::string>& keys,
             bool otherwise = false);

}  // namespace calotype
