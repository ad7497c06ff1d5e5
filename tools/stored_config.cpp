#include "tools/stored_config.h"

#include <array>

#include "denoisers/calotype_dit.h"
#include "denoisers/dit_transformer2d_model.h"
#include "denoisers/unet2d_model.h"
#include "models/classifier_model.h"
#include "tools/train.h"
#include "vae/autoencoder_kl.h"
#include "vae/autoencoder_training.h"
#include "vae/vae_training.h"
#include "vqvae/masked_generator.h"
#include "vqvae/vq_model.h"
#include "vqvae/vq_training.h"
#include "vqvae/vqvae2.h"

namespace calotype {
namespace {

/// Notes, such as _class_name, stay as they are.
template <class Config>
Json completed(const Json& stored) {
  Json notes = Json::object(), keys = Json::object();
  for (const auto& item : stored.items())
    (item.key().starts_with('_') ? notes : keys)[item.key()] = item.value();
  Config config;
  read_config(keys, config, "config");
  notes.update(write_config(config));
  return notes;
}

/// How the parts of a configuration that depend on the model's class are read.
struct Parts {
  const char* class_name;
  Json (*model)(const Json&);
  Json (*loss)(const Json&);  // null: it has none
};

constexpr std::array kParts{
    Parts{AutoencoderKLImpl::kClassName, completed<AutoencoderKLConfig>,
          completed<VaeLossConfig>},
    Parts{CalotypeAutoencoderImpl::kClassName,
          completed<CalotypeAutoencoderConfig>,
          completed<AutoencoderLossConfig>},
    Parts{VQModelImpl::kClassName, completed<VQModelConfig>,
          completed<VqLossConfig>},
    Parts{VqVae2Impl::kClassName, completed<VqVae2Config>,
          completed<VqLossConfig>},
    Parts{UNet2DModelImpl::kClassName, completed<UNet2DModelConfig>, nullptr},
    Parts{DiTTransformer2DModelImpl::kClassName,
          completed<DiTTransformer2DModelConfig>, nullptr},
    Parts{CalotypeDiTImpl::kClassName, completed<CalotypeDiTConfig>, nullptr},
    Parts{MaskedGeneratorImpl::kClassName, completed<MaskedGeneratorConfig>,
          completed<MaskedTokenLossConfig>},
    Parts{kClassifierClass, completed<CalotypeClassifierConfig>, nullptr},
};

}  // namespace

Json completed_config(const Json& stored) {
  TrainConfig config;
  config.data.flips = false;  // what its absence was resolved to
  read_config(stored, config, "config");
  const auto name = config.model.value("_class_name", "");
  for (const auto& parts : kParts) {
    if (name != parts.class_name) continue;
    config.model = parts.model(config.model);
    if (config.loss && parts.loss) config.loss = parts.loss(*config.loss);
  }
  // Images of another size could not be trained on, so that nothing else can
  // have been meant.
  if (name == kClassifierClass && config.data.preprocessing.size == 0)
    config.data.preprocessing.size = config.model["sample_size"].get<int64_t>();
  return write_config(config);
}

}  // namespace calotype
