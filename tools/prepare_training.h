#pragma once

#include <string>
#include <vector>

#include "tools/train.h"
#include "tools/train_data.h"

// What a configuration asks for, made: a model, its data and its loss.
namespace calotype {

/// A model ready to be trained, and how its folder is written.
struct Prepared {
  TrainerSetup setup;
  std::string class_name;
  Json model_config;
  DataRecords records;             // of what it reads
  std::vector<std::string> files;  // that save_model writes beside the model
};

/// For the class that `config.model` names. What the data decide is written
/// back to `config`. Throws ConfigError for what cannot be trained, before
/// anything is written.
Prepared prepare_training(TrainConfig& config, const TrainJob& job);

/// Of a denoiser, on a store of latents.
Prepared prepare_diffusion(TrainConfig& config, const TrainJob& job);

/// Of a CalotypeMaskedGenerator, on a store of tokens.
Prepared prepare_masked_generator(TrainConfig& config, const TrainJob& job);

/// Its keys, without notes such as _class_name.
template <class Config>
Config read_model_config(const Json& model) {
  Json keys = Json::object();
  for (const auto& item : model.items())
    if (!item.key().starts_with('_')) keys[item.key()] = item.value();
  Config config;
  read_config(keys, config, "model");
  return config;
}

/// The loss as configured; the resolved one is written back.
template <class Config>
Config read_loss_config(TrainConfig& config) {
  Config loss;
  if (config.loss) read_config(*config.loss, loss, "loss");
  config.loss = write_config(loss);
  return loss;
}

/// Throws ConfigError for a part of the configuration that belongs to another
/// class; `loss`, `diffusion`: what this one has.
void expect_only(const TrainConfig& config, bool loss, bool diffusion);

}  // namespace calotype
