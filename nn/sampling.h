#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "nn/batch_invariant.h"

namespace calotype {

/// Nearest-neighbour resize of [N,C,H,W] to [N,C,height,width].
torch::Tensor nearest_resize(const torch::Tensor& x, int64_t height,
                             int64_t width);

/// Halves the grid by a 3x3 convolution of stride 2: diffusers' Downsample2D,
/// named conv. With `padding` 0 a row and a column of zeros are added below and
/// right, as the VAE does; with 1, on all sides, as the U-Net does.
class DownsampleImpl : public torch::nn::Module {
 public:
  DownsampleImpl(int64_t channels, int64_t padding);

  /// [N,C,H,W] -> [N,C,ceil(H/2),ceil(W/2)]; with padding 0, floor.
  torch::Tensor forward(const torch::Tensor& x);

 private:
  int64_t padding_;
  Conv2d conv_{nullptr};
};
TORCH_MODULE(Downsample);

/// Doubles the grid: nearest neighbour, then a 3x3 convolution named conv.
class UpsampleImpl : public torch::nn::Module {
 public:
  explicit UpsampleImpl(int64_t channels);

  /// [N,C,H,W] -> [N,C,2H,2W].
  torch::Tensor forward(const torch::Tensor& x);

  /// [N,C,H,W] -> [N,C,height,width], for grids whose size is odd.
  torch::Tensor forward(const torch::Tensor& x, int64_t height, int64_t width);

 private:
  Conv2d conv_{nullptr};
};
TORCH_MODULE(Upsample);

}  // namespace calotype
