#pragma once

#include <torch/nn/module.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/config.h"
#include "nn/weight_files.h"

// A model folder as diffusers lays it out: config.json and the weights
// (nn/weight_files.h), parameters under diffusers' own names.
namespace calotype {

struct ModelFolder {
  std::filesystem::path path;
  std::string class_name;  // _class_name of config.json
  Json config;             // the rest of it, without keys that begin with "_"
  WeightFiles weights;
  // _latents_of: SHA-256 of the weights of codecs whose latents this one, which
  // has its encoder from them, makes and decodes as well.
  std::vector<std::string> latents_of;
};

/// Reads config.json and finds the weights. Throws ConfigError if either is
/// missing, saying what the folder is instead where that can be told, DataError
/// if config.json is damaged.
ModelFolder open_model_folder(const std::filesystem::path& path);

/// Throws ConfigError unless the folder holds a `class_name`.
void expect_class(const ModelFolder& folder, const std::string& class_name);

/// Throws ConfigError as open_model_folder does where there is no config.json.
void expect_model_folder(const std::filesystem::path& path);

/// SHA-256 of the weights, by which stores and images name their model.
std::string weights_sha256(const ModelFolder& folder);

/// Copies the weights into `module`, converted to its types; attention's may
/// have their names and shapes of 2022, which a note says. Throws DataError
/// naming the first parameter that is missing, unknown or of another shape.
void load_weights(torch::nn::Module& module, const ModelFolder& folder);
void load_weights(torch::nn::Module& module, const TensorFile& file,
                  const std::string& where);

/// The keys of config.json that `known` names, as diffusers takes those of
/// others: null stands for the default but of `nullable` keys, and what its
/// class does not know is left out, which a note says. Of classes of ours,
/// whose names begin with Calotype, all keys are given back.
Json published_keys(const ModelFolder& folder,
                    const std::vector<std::string>& known,
                    const std::vector<std::string>& nullable);

/// What config.json says. Throws ConfigError for values that cannot be.
template <class Config>
Config read_model_config(const ModelFolder& folder) {
  Config config;
  std::vector<std::string> known, nullable;
  visit_fields(config, [&]<class Field>(const char* key, Field&) {
    known.emplace_back(key);
    if (std::same_as<Field, Json> || config_detail::is_optional<Field>::value)
      nullable.emplace_back(key);
  });
  read_config(published_keys(folder, known, nullable), config,
              (folder.path / "config.json").string());
  return config;
}

/// The model of a folder, ready to be used: a module holder `Model` made from a
/// `Config`. Throws ConfigError for another class or keys that cannot be,
/// DataError for weights that do not fit.
template <class Model, class Config>
Model load_model(const ModelFolder& folder) {
  expect_class(folder, Model::ContainedType::kClassName);
  Model model(read_model_config<Config>(folder));
  load_weights(*model, folder);
  model->eval();
  return model;
}

/// The parameters and buffers of `module` by name, on the CPU.
TensorFile weights_of(const torch::nn::Module& module);

/// Writes both files atomically, weights first.
void save_model_folder(const std::filesystem::path& path,
                       const std::string& class_name, const Json& config,
                       const TensorFile& weights);

}  // namespace calotype
