#include "diffusion/latent_space.h"

#include <ATen/Functions.h>
#include <fmt/ranges.h>

#include <cmath>
#include <limits>

#include "core/check.h"
#include "core/files.h"

namespace calotype {
namespace {

/// A few units in the last place of a float beside the mean.
constexpr double kRounding = 0x1p-21;

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
  for (const auto value : std) check_range(where, "std", value, 0, 1e6);
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

bool LatentSpace::channel_is_constant(size_t channel) const {
  // What is nothing in float would be divided by.
  constexpr double kLeast = std::numeric_limits<float>::min();
  return std[channel] <= std::max(kRounding * std::abs(mean[channel]), kLeast);
}

std::string LatentSpace::constant_channels() const {
  std::vector<size_t> constant;
  for (size_t channel = 0; channel < std.size(); ++channel)
    if (channel_is_constant(channel)) constant.push_back(channel);
  if (constant.empty()) return {};
  return fmt::format(
      "{} of {} latent channels never change (number {}); they are drawn as "
      "they are, whatever the network answers",
      constant.size(), std.size(), fmt::join(constant, ", "));
}

std::vector<double> LatentSpace::std_or(double of_constant) const {
  auto values = std;
  for (size_t channel = 0; channel < values.size(); ++channel)
    if (channel_is_constant(channel)) values[channel] = of_constant;
  return values;
}

at::Tensor LatentSpace::normalise(const at::Tensor& latents) const {
  check_shape("LatentSpace", "latents", latents, {-1, grid_shape[0], -1, -1});
  const auto divisor = std_or(std::numeric_limits<double>::infinity());
  return (latents - per_channel(mean, latents)) / per_channel(divisor, latents);
}

at::Tensor LatentSpace::denormalise(const at::Tensor& latents) const {
  check_shape("LatentSpace", "latents", latents, {-1, grid_shape[0], -1, -1});
  return latents * per_channel(std_or(0), latents) + per_channel(mean, latents);
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
