#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <optional>
#include <string>

#include "nn/latent_codec.h"

namespace calotype {

/// Leaves images as they are: latents [N,C,H,W] that are the pixels. What
/// learns and draws latents learns and draws images through it.
class PixelCodec : public LatentCodec {
 public:
  explicit PixelCodec(int64_t channels) : channels_(channels) {}

  /// The codec that "pixels:1" (grey) or "pixels:3" (RGB) names; nothing if
  /// `name` is no such name.
  static std::optional<PixelCodec> named(const std::string& name);

  LatentGrid encode(const at::Tensor& images) override { return {images, {}}; }
  at::Tensor decode(const at::Tensor& latent) override { return latent; }
  int64_t image_channels() const override { return channels_; }
  int64_t latent_channels() const override { return channels_; }
  int64_t downsample() const override { return 1; }
  bool has_variance() const override { return false; }
  torch::nn::Module& module() override { return module_; }

 private:
  int64_t channels_;
  torch::nn::Module module_;
};

}  // namespace calotype
