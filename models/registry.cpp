#include "models/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <type_traits>

#include "core/error.h"
#include "denoisers/calotype_dit.h"
#include "denoisers/dit_transformer2d_model.h"
#include "denoisers/unet2d_model.h"
#include "vae/asymmetric_autoencoder_kl.h"
#include "vae/autoencoder.h"
#include "vae/autoencoder_dc.h"
#include "vae/autoencoder_kl.h"
#include "vae/autoencoder_tiny.h"
#include "vae/autoencoder_training.h"
#include "vae/codec_training.h"
#include "vae/vae_training.h"
#include "vqvae/magvit2.h"
#include "vqvae/vq_model.h"
#include "vqvae/vq_training.h"
#include "vqvae/vqvae2.h"

namespace calotype {
namespace {

/// The class that a function `Holder load(const ModelFolder&)` reads.
template <auto load>
using ImplOf = typename std::invoke_result_t<decltype(load),
                                             const ModelFolder&>::ContainedType;
template <class Impl>
using ConfigOf = std::remove_cvref_t<decltype(std::declval<Impl>().config())>;

template <class Config>
Json completed(const Json& keys, const std::string& where) {
  Config config;
  read_config(keys, config, where);
  return write_config(config);
}

template <class Face, class Impl>
void set_face(std::shared_ptr<Face>& face, const std::shared_ptr<Impl>& model) {
  if constexpr (std::derived_from<Impl, Face>) face = model;
}

template <class Impl>
AnyModel any_model(const std::shared_ptr<Impl>& model) {
  AnyModel any{.module = model, .config = write_config(model->config())};
  if constexpr (requires { model->notes(); }) any.notes = model->notes();
  set_face(any.codec, model);
  set_face(any.tokenizer, model);
  set_face(any.denoiser, model);
  set_face(any.generator, model);
  set_face(any.classifier, model);
  return any;
}

template <class Impl>
void expect_drawable(const std::string& where, const Impl& model) {
  if constexpr (requires { expect_usable(where, model.config()); })
    expect_usable(where, model.config());
}

template <class Impl>
AnyModel make(const Json& keys) {
  ConfigOf<Impl> config;
  read_config(keys, config, "model");
  const auto model = std::make_shared<Impl>(config);
  expect_drawable("model", *model);
  return any_model(model);
}

template <auto load_folder>
AnyModel load(const ModelFolder& folder) {
  const auto model = load_folder(folder).ptr();
  expect_drawable((folder.path / "config.json").string(), *model);
  return any_model(model);
}

/// What all classes have.
template <auto load_folder>
ModelClass entry_of(ModelKind kind) {
  using Impl = ImplOf<load_folder>;
  ModelClass entry{.name = Impl::kClassName, .kind = kind};
  if constexpr (requires { Impl::kFormerClassName; })
    entry.former_name = Impl::kFormerClassName;
  if constexpr (requires { Impl::kHasPrior; })
    entry.has_prior = Impl::kHasPrior;
  entry.complete = completed<ConfigOf<Impl>>;
  entry.make = make<Impl>;
  entry.load = load<load_folder>;
  return entry;
}

template <class Impl>
std::shared_ptr<Impl> as(const AnyModel& model) {
  return std::dynamic_pointer_cast<Impl>(model.module);
}

/// A class that learns by a `Training`, as a `Loss` says.
template <auto load_folder, class Training, class Loss>
ModelClass learns_by(ModelKind kind) {
  auto entry = entry_of<load_folder>(kind);
  entry.complete_loss = completed<Loss>;
  entry.trainable = [](const AnyModel& model,
                       const Json& keys) -> std::shared_ptr<Trainable> {
    Loss loss;
    read_config(keys, loss, "loss");
    return std::make_shared<Training>(as<ImplOf<load_folder>>(model), loss);
  };
  return entry;
}

template <auto load_folder, class Training, class Loss>
ModelClass codec() {
  constexpr bool is_tokenizer =
      std::derived_from<ImplOf<load_folder>, Tokenizer>;
  return learns_by<load_folder, Training, Loss>(
      is_tokenizer ? ModelKind::kTokenizer : ModelKind::kCodec);
}

template <auto load_folder>
ModelClass denoiser() {
  auto entry = entry_of<load_folder>(ModelKind::kDenoiser);
  entry.fit = ImplOf<load_folder>::fit;
  return entry;
}

template <auto load_folder, class Training>
ModelClass classifier() {
  auto entry = entry_of<load_folder>(ModelKind::kClassifier);
  entry.trainable = [](const AnyModel& model,
                       const Json&) -> std::shared_ptr<Trainable> {
    return std::make_shared<Training>(as<ImplOf<load_folder>>(model));
  };
  return entry;
}

}  // namespace

const std::vector<ModelClass>& model_classes() {
  static const std::vector<ModelClass> classes = {
      codec<load_autoencoder_kl, VaeTraining, VaeLossConfig>(),
      codec<load_asymmetric_autoencoder_kl, VaeTraining, VaeLossConfig>(),
      codec<load_autoencoder_dc, CodecTraining, CodecLossConfig>(),
      codec<load_autoencoder_tiny, CodecTraining, CodecLossConfig>(),
      codec<load_calotype_autoencoder, AutoencoderTraining,
            AutoencoderLossConfig>(),
      codec<load_vq_model, VqTraining, VqLossConfig>(),
      codec<load_vqvae2, VqTraining, VqLossConfig>(),
      codec<load_magvit2, VqTraining, VqLossConfig>(),
      denoiser<load_unet2d_model>(),
      denoiser<load_dit_transformer2d_model>(),
      denoiser<load_calotype_dit>(),
      learns_by<load_masked_generator, MaskedTokenTraining,
                MaskedTokenLossConfig>(ModelKind::kGenerator),
      classifier<load_classifier, ClassifierTraining>(),
  };
  return classes;
}

const char* kind_text(ModelKind kind) {
  switch (kind) {
    case ModelKind::kCodec:
      return "codec";
    case ModelKind::kTokenizer:
      return "tokenizer";
    case ModelKind::kDenoiser:
      return "denoiser";
    case ModelKind::kGenerator:
      return "generator of tokens";
    case ModelKind::kClassifier:
      return "classifier";
  }
  return "";
}

const ModelClass* find_model_class(const std::string& name) {
  for (const auto& known : model_classes())
    if (name == known.name || (!name.empty() && name == known.former_name))
      return &known;
  return nullptr;
}

std::string names_of_classes(bool (*is_wanted)(const ModelClass&)) {
  std::vector<std::string> names;
  for (const auto& known : model_classes())
    if (is_wanted(known)) names.push_back(known.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

const ModelClass& expect_model_class(const ModelFolder& folder,
                                     const char* what,
                                     bool (*is_wanted)(const ModelClass&)) {
  const auto* known = find_model_class(folder.class_name);
  if (!known || !is_wanted(*known))
    throw ConfigError(
        fmt::format("{}: expected {} ({}), got {}", folder.path.string(), what,
                    names_of_classes(is_wanted), folder.class_name));
  return *known;
}

AnyModel load_any_model(const ModelFolder& folder, const char* what,
                        bool (*is_wanted)(const ModelClass&)) {
  return expect_model_class(folder, what, is_wanted).load(folder);
}

const ModelClass& configured_class(const Json& model) {
  const auto name = model.value("_class_name", "");
  for (const auto& known : model_classes())
    if (name == known.name) return known;
  throw ConfigError(fmt::format(
      "config: model._class_name must be one of {}, got \"{}\"",
      names_of_classes([](const ModelClass&) { return true; }), name));
}

Json keys_of(const Json& model) {
  Json keys = Json::object();
  for (const auto& item : model.items())
    if (!item.key().starts_with('_')) keys[item.key()] = item.value();
  return keys;
}

}  // namespace calotype
