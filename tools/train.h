#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "diffusion/latent_diffusion.h"
#include "images/transforms.h"
#include "tools/train_group.h"
#include "training/trainer.h"
#include "vae/distillation.h"

namespace calotype {

struct TrainDataConfig {
  std::string train;            // images (see open_source), or a latent store
  std::string validation;       // the same, or empty
  Preprocessing preprocessing;  // of images
  int64_t num_workers = 2;      // decoding threads
  // Latents of mirror images, half of the time, from a store encoded with
  // --flips: true, false, or "auto" for where the store has them.
  Json flips = "auto";
};

template <class Visitor>
void visit_fields(TrainDataConfig& c, Visitor&& visit) {
  visit("train", c.train);
  visit("validation", c.validation);
  visit("preprocessing", c.preprocessing);
  visit("num_workers", c.num_workers);
  visit("flips", c.flips);
}

/// What a training configuration file holds.
struct TrainConfig {
  Json model = Json::object();  // _class_name and that class's keys
  std::optional<Json> loss;     // VaeLossConfig of an AutoencoderKL,
                             // AutoencoderLossConfig of a CalotypeAutoencoder
  std::optional<LatentDiffusionConfig> diffusion;  // of a denoiser
  TrainDataConfig data;
  // Whose latents the decoder of the model, a codec, learns; "loss" is then
  // CodecLossConfig.
  std::optional<DistillConfig> distill;
  // What the model's weights begin with (models/initial_model.h); empty: with
  // random numbers. "model" may then leave out its class and any keys.
  std::string init;
  TrainerConfig training;
  uint64_t seed = 0;
};

template <class Visitor>
void visit_fields(TrainConfig& c, Visitor&& visit) {
  visit("model", c.model);
  visit("loss", c.loss);
  visit("diffusion", c.diffusion);
  visit("data", c.data);
  visit("distill", c.distill);
  visit("init", c.init);
  visit("training", c.training);
  visit("seed", c.seed);
}

struct TrainJob {
  TrainConfig config;
  std::filesystem::path out;  // run folder
  bool fresh = false;         // forget an earlier run there
  bool dry_run = false;       // return the resolved configuration and stop
  int64_t stop_after = 0;  // end this call after so many steps; 0: at the end
  // Names of files that the caller has put into `out` for the run.
  std::vector<std::string> brought;
  bool pipeline = false;  // leave a pipeline of diffusers in `out` at the end
  c10::Device device{c10::kCPU};
  TogetherConfig together;
};

/// What a command line says of the data and the length of a training, where a
/// configuration need not be written for it.
struct TrainChoices {
  std::string data, validation;  // empty: as configured
  bool caches = false;           // see open_source, "cached:"
  int64_t size = 0;              // of images, in pixels; 0: as configured
  int64_t steps = 0;             // 0: as configured
  std::string init, teacher;     // empty: as configured
};

/// Reads a configuration file, or the one that the program knows by the name
/// (see named_config), and applies `choices` and `overrides`, each
/// "key.key=value". With other data the configuration's own validation set is
/// left out, which is told. Throws ConfigError.
TrainConfig read_train_config(const std::filesystem::path& path,
                              const std::vector<std::string>& overrides,
                              const TrainChoices& choices = {});

/// Trains a model of any class of the registry, or goes on with a run that was
/// broken off. Returns the last line of its metrics and the
/// rate.
Json train(const TrainJob& job);

}  // namespace calotype
