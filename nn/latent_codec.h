#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <torch/nn/module.h>

#include <memory>
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

  virtual torch::nn::Module& module() = 0;
};

}  // namespace calotype
