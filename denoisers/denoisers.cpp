#include "denoisers/denoisers.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "denoisers/calotype_dit.h"
#include "denoisers/dit_transformer2d_model.h"
#include "denoisers/unet2d_model.h"

namespace calotype {
namespace {

void set_default(Json& keys, const char* key, const Json& value) {
  if (!keys.contains(key)) keys[key] = value;
}

void fit_unet(Json& keys, const LatentShape& latents) {
  set_default(keys, "sample_size", latents.grid_shape[1]);
  if (latents.num_classes > 0)
    set_default(keys, "num_class_embeds",
                latents.num_classes + 1);  // the last: no class
}

void fit_dit(Json& keys, const LatentShape& latents) {
  set_default(keys, "sample_size", latents.grid_shape[1]);
  set_default(keys, "num_embeds_ada_norm", latents.num_classes);
}

void fit_calotype_dit(Json& keys, const LatentShape& latents) {
  set_default(keys, "num_classes", latents.num_classes);
}

/// Throws ConfigError for a network that no sampler here can ask.
template <class Config>
void expect_usable(const std::string&, const Config&) {}

void expect_usable(const std::string& where, const UNet2DModelConfig& config) {
  if (config.class_embed_type)
    throw ConfigError(fmt::format(
        "{}: class_embed_type must be null, got \"{}\": such a network is "
        "told its class as a number or a vector, which nothing here knows how "
        "to choose",
        where, *config.class_embed_type));
}

template <class Model, class Config>
MadeDenoiser make(const Json& keys) {
  Config config;
  read_config(keys, config, "model");
  expect_usable("model", config);
  Model model(config);
  return {model.ptr(), write_config(config)};
}

template <class Model, class Config>
std::shared_ptr<Denoiser> load(const ModelFolder& folder) {
  const auto model = load_model<Model, Config>(folder);
  expect_usable((folder.path / "config.json").string(), model->config());
  return model.ptr();
}

template <>
std::shared_ptr<Denoiser>
load<DiTTransformer2DModel, DiTTransformer2DModelConfig>(
    const ModelFolder& folder) {
  return load_dit_transformer2d_model(folder).ptr();
}

struct Entry {
  const char* class_name;
  void (*fit)(Json& keys, const LatentShape& latents);
  MadeDenoiser (*make)(const Json& keys);
  std::shared_ptr<Denoiser> (*load)(const ModelFolder& folder);
};

template <class Model, class Config>
constexpr Entry entry(void (*fit)(Json&, const LatentShape&)) {
  return {Model::ContainedType::kClassName, fit, make<Model, Config>,
          load<Model, Config>};
}

constexpr Entry kEntries[] = {
    entry<UNet2DModel, UNet2DModelConfig>(fit_unet),
    entry<DiTTransformer2DModel, DiTTransformer2DModelConfig>(fit_dit),
    entry<CalotypeDiT, CalotypeDiTConfig>(fit_calotype_dit),
};

Entry entry_of(const std::string& where, const std::string& class_name) {
  for (const auto& entry : kEntries)
    if (class_name == entry.class_name) return entry;
  throw ConfigError(fmt::format("{}: expected a denoiser ({}), got a {}", where,
                                fmt::join(denoiser_classes(), ", "),
                                class_name));
}

}  // namespace

std::vector<std::string> denoiser_classes() {
  std::vector<std::string> names;
  for (const auto& entry : kEntries) names.emplace_back(entry.class_name);
  return names;
}

bool is_denoiser(const std::string& class_name) {
  return std::any_of(
      std::begin(kEntries), std::end(kEntries),
      [&](const Entry& entry) { return class_name == entry.class_name; });
}

MadeDenoiser make_denoiser(const Json& config, const LatentShape& latents) {
  const auto entry = entry_of("model", config.value("_class_name", ""));
  Json keys = Json::object();
  for (const auto& item : config.items())
    if (!item.key().starts_with('_')) keys[item.key()] = item.value();
  set_default(keys, "in_channels", latents.grid_shape[0]);
  set_default(keys, "out_channels",
              latents.grid_shape[0] * (latents.learned_variance ? 2 : 1));
  entry.fit(keys, latents);
  return entry.make(keys);
}

std::shared_ptr<Denoiser> load_denoiser(const ModelFolder& folder) {
  const bool is_former =
      folder.class_name == DiTTransformer2DModelImpl::kFormerClassName;
  return entry_of(folder.path.string(),
                  is_former ? DiTTransformer2DModelImpl::kClassName
                            : folder.class_name)
      .load(folder);
}

}  // namespace calotype
