#include "tools/stored_config.h"

#include "vae/codec_training.h"

namespace calotype {

std::optional<Json> completed_loss(const TrainConfig& config,
                                   const ModelClass& known, const Json& keys,
                                   const std::string& where) {
  if (config.distill) {
    CodecLossConfig loss;
    read_config(keys, loss, where);
    return write_config(loss);
  }
  if (!known.complete_loss) return {};
  return known.complete_loss(keys, where);
}

Json completed_config(const Json& stored) {
  TrainConfig config;
  // What absence was resolved to, or was.
  config.data.flips = false;
  config.training.slices = 1;
  read_config(stored, config, "config");
  const auto* known = find_model_class(config.model.value("_class_name", ""));
  if (!known) return write_config(config);
  // Notes, such as _class_name, stay as they are.
  config.model.update(known->complete(keys_of(config.model), "config"));
  if (config.loss)
    config.loss = completed_loss(config, *known, *config.loss, "config");
  // Images of another size could not be trained on, so that nothing else can
  // have been meant.
  if (known->kind == ModelKind::kClassifier &&
      config.data.preprocessing.size == 0)
    config.data.preprocessing.size = config.model["sample_size"].get<int64_t>();
  return write_config(config);
}

}  // namespace calotype
