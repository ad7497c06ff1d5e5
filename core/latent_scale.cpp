#include "core/latent_scale.h"

#include <ATen/ATen.h>

#include <cmath>

namespace calotype {
namespace {

double number_or(const Json& config, const char* key, double otherwise) {
  const auto found = config.find(key);
  return found != config.end() && found->is_number() ? found->get<double>()
                                                     : otherwise;
}

}  // namespace

LatentScale latent_scale(const Json& config) {
  return {.scale = number_or(config, "scaling_factor", 1),
          .shift = number_or(config, "shift_factor", 0)};
}

at::Tensor rescaled(const at::Tensor& latents, const LatentScale& from,
                    const LatentScale& to) {
  if (from == to) return latents;
  return (latents - from.shift) * (from.scale / to.scale) + to.shift;
}

LatentGrid rescaled(const LatentGrid& grid, const LatentScale& from,
                    const LatentScale& to) {
  LatentGrid result{.mean = rescaled(grid.mean, from, to),
                    .logvar = grid.logvar};
  if (grid.logvar.defined() && from.scale != to.scale)
    result.logvar = grid.logvar + 2 * std::log(from.scale / to.scale);
  return result;
}

}  // namespace calotype
