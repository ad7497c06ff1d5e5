#include "diffusion/latent_space.h"

#include <ATen/Functions.h>

#include "core/check.h"
#include "core/files.h"

namespace calotype {
namespace {

// [1,D,1,1] beside `latents`.
at::Tensor per_channel(const std::vector<double>& values,
                       const at::Tensor& latents) {
  return at::tensor(values).to(latents.options()).view({1, -1, 1, 1});
}

}  // namespace

void LatentSpace::validate(const std::string& where) const {
  if (grid_shape.size() != 3)
    throw ConfigError(fmt::format("{}: grid_shape must be [D, h, w], got {}",
                                  where, shape_text(grid_shape)));
  for (const auto size : grid_shape)
    check_range(where, "grid_shape", double(size), 1, 65536);
  const auto D = size_t(grid_shape[0]);
  if (mean.size() != D || std.size() != D)
    throw ConfigError(fmt::format(
        "{}: mean and std must hold {} numbers, one a channel, got {} and {}",
        where, D, mean.size(), std.size()));
  for (const auto value : mean) check_range(where, "mean", value, -1e6, 1e6);
  for (const auto value : std) check_range(where, "std", value, 1e-6, 1e6);
  if (!image_size.empty() && image_size.size() != 2)
    throw ConfigError(fmt::format("{}: image_size must be [H, W], got {}",
                                  where, shape_text(image_size)));
  for (const auto edge : image_size)
    check_range(where, "image_size", double(edge), 1, 1 << 20);
  bool fits = preview_matrix.size() == preview_bias.size();
  for (const auto& row : preview_matrix) fits = fits && row.size() == D;
  if (!fits)
    throw ConfigError(fmt::format(
        "{}: preview_matrix must be [C][{}] and preview_bias [C], got {} rows "
        "and {} numbers",
        where, D, preview_matrix.size(), preview_bias.size()));
}

at::Tensor LatentSpace::normalise(const at::Tensor& latents) const {
  check_shape("LatentSpace", "latents", latents, {-1, grid_shape[0], -1, -1});
  return (latents - per_channel(mean, latents)) / per_channel(std, latents);
}

at::Tensor LatentSpace::denormalise(const at::Tensor& latents) const {
  check_shape("LatentSpace", "latents", latents, {-1, grid_shape[0], -1, -1});
  return latents * per_channel(std, latents) + per_channel(mean, latents);
}

LatentSpace read_latent_space(const std::filesystem::path& path) {
  LatentSpace space;
  read_config(read_json_file(path), space, path.string());
  space.validate(path.string());
  return space;
}

void write_latent_space(const std::filesystem::path& path,
                        const LatentSpace& space) {
  write_file_atomic(path, json_text(write_config(space), 2) + "\n");
}

}  // namespace calotype
