#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/codec_record.h"
#include "core/config.h"

namespace calotype {

/// Where the latents of a diffusion model live: what it takes to draw latents
/// of the right shape and scale, and to find the codec that decodes them.
struct LatentSpace {
  std::vector<int64_t> grid_shape;  // [D,h,w]
  std::vector<double> mean;         // [D] of the training set
  std::vector<double> std;          // [D] the network sees (z - mean) / std,
                                    // and 0 where channel_is_constant
  std::vector<std::string> class_names;
  CodecRecord codec;
  // A look at the latents without the codec (nn/latent_preview.h); both empty
  // where the store had none.
  std::vector<std::vector<double>> preview_matrix;  // [C][D]
  std::vector<double> preview_bias;                 // [C]
  // [H,W] of all images that the latents are of, which decoded ones are cut to;
  // empty: what the codec gives.
  std::vector<int64_t> image_size;

  /// Throws ConfigError, `where` leading, unless shape, statistics and preview
  /// fit together.
  void validate(const std::string& where) const;

  /// Whether what varies of a channel is no more than the rounding of its
  /// numbers: the network sees zeros there, and whatever it answers is drawn as
  /// the mean.
  bool channel_is_constant(size_t channel) const;

  /// One line that names such channels, or nothing.
  std::string constant_channels() const;

  /// Latents [N,D,h,w] to zero mean and unit variance per channel, and back.
  /// Throws ShapeError for another D.
  at::Tensor normalise(const at::Tensor& latents) const;
  at::Tensor denormalise(const at::Tensor& latents) const;

 private:
  /// `std`, and `of_constant` in place of those of constant channels.
  std::vector<double> std_or(double of_constant) const;
};

template <class Visitor>
void visit_fields(LatentSpace& c, Visitor&& visit) {
  visit("grid_shape", c.grid_shape);
  visit("mean", c.mean);
  visit("std", c.std);
  visit("class_names", c.class_names);
  visit("codec", c.codec);
  visit("preview_matrix", c.preview_matrix);
  visit("preview_bias", c.preview_bias);
  visit("image_size", c.image_size);
}

/// `latent_space.json`, which stands beside a diffusion model's config.json.
/// Reading throws ConfigError if it is not there or does not hold together.
LatentSpace read_latent_space(const std::filesystem::path& path);
void write_latent_space(const std::filesystem::path& path,
                        const LatentSpace& space);

}  // namespace calotype
