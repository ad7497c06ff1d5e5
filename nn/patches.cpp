#include "nn/patches.h"

#include <fmt/format.h>

#include "core/check.h"
#include "core/error.h"

namespace calotype {

at::Tensor grid_of_patches(const at::Tensor& tokens, int64_t h, int64_t w,
                           int64_t patch_size) {
  const auto p = patch_size;
  check_shape("patches", "tokens", tokens, {-1, h * w, -1});
  const auto channels = tokens.size(2) / (p * p);
  return tokens.reshape({-1, h, w, p, p, channels})
      .permute({0, 5, 1, 3, 2, 4})  // [N,C,h,p,w,p]
      .reshape({-1, channels, h * p, w * p});
}

void check_patches(const char* where, const at::Tensor& grid,
                   int64_t patch_size) {
  if (grid.size(2) % patch_size == 0 && grid.size(3) % patch_size == 0) return;
  throw ConfigError(
      fmt::format("{}: height and width of the latents must be multiples of "
                  "patch_size {}, got {}x{}",
                  where, patch_size, grid.size(2), grid.size(3)));
}

}  // namespace calotype
