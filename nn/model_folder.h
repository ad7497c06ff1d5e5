#pragma once

#include <torch/nn/module.h>

#include <filesystem>
#include <string>

#include "core/config.h"
#include "nn/safetensors.h"

// A model folder as diffusers lays it out: config.json and
// diffusion_pytorch_model.safetensors, parameters under diffusers' own names.
namespace calotype {

struct ModelFolder {
  std::filesystem::path path;
  std::string class_name;  // _class_name of config.json
  Json config;             // the rest of it, without keys that begin with "_"
  std::filesystem::path weights_path;
};

/// Reads config.json and finds the weights (also the .fp16 and .bf16 variants).
/// Throws ConfigError if either is missing, DataError if config.json is
/// damaged.
ModelFolder open_model_folder(const std::filesystem::path& path);

/// Throws ConfigError unless the folder holds a `class_name`.
void expect_class(const ModelFolder& folder, const std::string& class_name);

/// SHA-256 of the weights, by which stores and images name their model.
std::string weights_sha256(const ModelFolder& folder);

/// Copies the weights into `module`, converted to its types. Throws DataError
/// naming the first parameter that is missing, unknown or of another shape.
void load_weights(torch::nn::Module& module, const ModelFolder& folder);
void load_weights(torch::nn::Module& module, const TensorFile& file,
                  const std::string& where);

/// The model of a folder, ready to be used: a module holder `Model` made from a
/// `Config`. Throws ConfigError for another class or keys that cannot be,
/// DataError for weights that do not fit.
template <class Model, class Config>
Model load_model(const ModelFolder& folder) {
  expect_class(folder, Model::ContainedType::kClassName);
  Config config;
  read_config(folder.config, config, (folder.path / "config.json").string());
  Model model(config);
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
