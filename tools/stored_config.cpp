#include "tools/stored_config.h"

#include "models/registry.h"
#include "tools/train.h"

namespace calotype {

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
  if (config.loss && known->complete_loss)
    config.loss = known->complete_loss(*config.loss, "config");
  // Images of another size could not be trained on, so that nothing else can
  // have been meant.
  if (known->kind == ModelKind::kClassifier &&
      config.data.preprocessing.size == 0)
    config.data.preprocessing.size = config.model["sample_size"].get<int64_t>();
  return write_config(config);
}

}  // namespace calotype
