#include "denoisers/latent_shape.h"

namespace calotype {

void set_default(Json& keys, const char* key, const Json& value) {
  if (!keys.contains(key)) keys[key] = value;
}

void fit_channels(Json& keys, const LatentShape& latents) {
  const auto depth = latents.grid_shape[0];
  set_default(keys, "in_channels", depth);
  set_default(keys, "out_channels", depth * (latents.learned_variance ? 2 : 1));
}

}  // namespace calotype
