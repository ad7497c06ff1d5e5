#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/latent_grid.h"

namespace calotype {

/// What every codec does: images to a latent grid and back.
class LatentCodec {
 public:
  virtual ~LatentCodec() = default;

  /// `images`: [N,C,H,W] in [-1,1], H and W multiples of downsample().
  virtual LatentGrid encode(const at::Tensor& images) = 0;

  /// `latent`: [N,D,h,w] as encode's mean. Returns [N,C,H,W], about [-1,1].
  virtual at::Tensor decode(const at::Tensor& latent) = 0;

  virtual int64_t image_channels() const = 0;   // C
  virtual int64_t latent_channels() const = 0;  // D
  virtual int64_t downsample() const = 0;       // H / h

  /// Whether encode() gives a log-variance.
  virtual bool has_variance() const = 0;

  /// H and W of the only images that it takes (fully connected networks do);
  /// nothing: any multiple of downsample().
  virtual std::optional<int64_t> fixed_size() const { return {}; }

  /// H and W of the images that standard normal codes are of, where codes are
  /// held to such a prior; nothing: there is none.
  virtual std::optional<int64_t> prior_size() const { return {}; }

  virtual torch::nn::Module& module() = 0;
};

}  // namespace calotype
