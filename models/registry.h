#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "denoisers/latent_shape.h"
#include "diffusion/denoiser.h"
#include "metrics/classifier.h"
#include "nn/latent_codec.h"
#include "nn/model_folder.h"
#include "nn/tokenizer.h"
#include "nn/trainable.h"
#include "vqvae/masked_generator.h"

// The one list of the classes that a model folder can hold: whoever trains,
// encodes, draws, evaluates, inspects or goes on asks here. A new class is a
// line in registry.cpp.
namespace calotype {

/// What a model is for.
enum class ModelKind { kCodec, kTokenizer, kDenoiser, kGenerator, kClassifier };

/// "codec", "tokenizer", "denoiser", "generator of tokens" or "classifier".
const char* kind_text(ModelKind kind);

/// Whether it takes images to latents and back; a tokenizer does, too.
inline bool is_codec(ModelKind kind) {
  return kind == ModelKind::kCodec || kind == ModelKind::kTokenizer;
}

/// A model of any class. Of its faces those are set that its class has.
struct AnyModel {
  std::shared_ptr<torch::nn::Module> module;
  Json config;  // all keys of its class, without _class_name
  // What config.json says besides, to whoever reads it; keys begin with "_".
  Json notes = Json::object();
  std::shared_ptr<LatentCodec> codec;
  std::shared_ptr<Tokenizer> tokenizer;  // the codec itself
  std::shared_ptr<Denoiser> denoiser;
  std::shared_ptr<MaskedGeneratorImpl> generator;
  std::shared_ptr<CalotypeClassifierImpl> classifier;
};

/// A class of models. Functions that read keys throw ConfigError for unknown
/// ones and for values that cannot be.
struct ModelClass {
  std::string name;         // its _class_name
  std::string former_name;  // another one, which diffusers once had; or empty
  ModelKind kind;

  // Its codes are held to standard normal numbers: they can be drawn, and the
  // evidence of an image estimated.
  bool has_prior = false;

  // All keys of "model" and of "loss", those that are not given at their
  // defaults. `complete_loss` is null for a class that has no "loss".
  Json (*complete)(const Json& keys, const std::string& where) = nullptr;
  Json (*complete_loss)(const Json& keys, const std::string& where) = nullptr;

  // Sets the keys of "model" that latents decide and that are not given. Null
  // but for denoisers.
  void (*fit)(Json& keys, const LatentShape& latents) = nullptr;

  // With the first values of its weights, from LibTorch's generator.
  AnyModel (*make)(const Json& keys) = nullptr;

  // Ready to be used. Throws DataError for weights that do not fit.
  AnyModel (*load)(const ModelFolder& folder) = nullptr;

  // How it learns by "loss". Null for denoisers, which learn by a schedule and
  // the space of their latents (diffusion/latent_diffusion.h).
  std::shared_ptr<Trainable> (*trainable)(const AnyModel& model,
                                          const Json& loss) = nullptr;
};

/// In the order in which messages name them.
const std::vector<ModelClass>& model_classes();

/// Null if there is none of this name, or former name.
const ModelClass* find_model_class(const std::string& name);

/// Names of the classes for which `is_wanted` holds, with commas.
std::string names_of_classes(bool (*is_wanted)(const ModelClass&));

/// The class of a folder's model. Throws ConfigError, naming the classes that
/// would do, unless `is_wanted` holds for it; `what`: what was expected ("a
/// codec").
const ModelClass& expect_model_class(const ModelFolder& folder,
                                     const char* what,
                                     bool (*is_wanted)(const ModelClass&));

/// The model of such a folder.
AnyModel load_any_model(const ModelFolder& folder, const char* what,
                        bool (*is_wanted)(const ModelClass&));

/// The class that `model["_class_name"]` names. Throws ConfigError, naming all
/// that there are.
const ModelClass& configured_class(const Json& model);

/// `model` without notes such as _class_name.
Json keys_of(const Json& model);

}  // namespace calotype
