#include "vae/gaussian.h"

#include <algorithm>

#include "core/check.h"
#include "nn/batch_invariant.h"

namespace calotype {
namespace {

constexpr double kMinLogvar = -30, kMaxLogvar = 20;

}  // namespace

LatentGrid split_moments(const at::Tensor& moments) {
  check_shape("split_moments", "moments", moments, {-1, -1, -1, -1});
  const auto halves = moments.chunk(2, 1);
  return {.mean = halves[0], .logvar = halves[1].clamp(kMinLogvar, kMaxLogvar)};
}

at::Tensor sample(const LatentGrid& grid, const at::Tensor& noise) {
  if (!grid.logvar.defined()) return grid.mean;
  return grid.mean + invariant_map(0.5 * grid.logvar, torch::exp) * noise;
}

at::Tensor kl_elements(const LatentGrid& grid) {
  return 0.5 * (grid.mean.square() + grid.logvar.exp() - 1 - grid.logvar);
}

at::Tensor kl_per_sample(const LatentGrid& grid) {
  return kl_elements(grid).flatten(1).sum(1);
}

double annealed_weight(double weight, int64_t anneal_steps, int64_t step) {
  if (anneal_steps == 0) return weight;
  return weight * std::min(1.0, double(step) / double(anneal_steps));
}

}  // namespace calotype
