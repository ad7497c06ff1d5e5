#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "nn/activation.h"
#include "nn/batch_invariant.h"
#include "nn/group_norm.h"
#include "nn/spatial_norm.h"

namespace calotype {

/// Nothing, halve or double the grid between the block's two activations: by
/// averages and nearest neighbours, or by a filter (fir.h, zeros outside); with
/// a filter the shortcut has a convolution whatever the channels (diffusers'
/// kernel "fir" with use_in_shortcut).
enum class Resample { kNone, kDown, kUp, kFirDown, kFirUp };

struct ResnetBlockConfig {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t num_groups = 32;
  int64_t num_groups_out = 0;  // of the second norm; 0: num_groups
  double eps = 1e-6;
  int64_t embedding_dim = 0;       // of the time embedding; 0: none
  int64_t condition_channels = 0;  // of a grid that normalises; 0: none
  bool scale_shift =
      false;  // the embedding scales and shifts instead of adding
  double dropout = 0;
  double output_scale = 1;  // the sum is divided by it
  Activation activation = Activation::kSilu;
  Resample resample = Resample::kNone;
  bool conv_bias = true;  // whether its convolutions have biases
};

/// norm, activation, 3x3 convolution, twice, beside a shortcut: diffusers'
/// ResnetBlock2D, with its parameter names norm1, conv1, time_emb_proj, norm2,
/// conv2, conv_shortcut. With condition_channels, both norms are spatial:
/// diffusers' ResnetBlockCondNorm2D.
class ResnetBlockImpl : public torch::nn::Module {
 public:
  explicit ResnetBlockImpl(const ResnetBlockConfig& config);

  /// `x`: [N,in_channels,H,W]; `embedding`: [N,embedding_dim], or the grid
  /// [N,condition_channels,h,w], or undefined.
  /// Returns [N,out_channels,H,W], H and W halved (down) or doubled if
  /// resampled.
  torch::Tensor forward(const torch::Tensor& x,
                        const torch::Tensor& embedding = {});

  /// The same, of a block that doubles, to a grid of height x width, for grids
  /// whose size is odd: a number more than the double.
  torch::Tensor forward_to(const torch::Tensor& x,
                           const torch::Tensor& embedding, int64_t height,
                           int64_t width);

 private:
  ResnetBlockConfig config_;
  torch::Tensor resampled(const torch::Tensor& x, int64_t height,
                          int64_t width) const;
  torch::Tensor normalise(GroupNorm& group, SpatialNorm& spatial,
                          const torch::Tensor& x,
                          const torch::Tensor& condition);

  GroupNorm norm1_{nullptr}, norm2_{nullptr};
  SpatialNorm spatial1_{nullptr}, spatial2_{nullptr};
  Conv2d conv1_{nullptr}, conv2_{nullptr}, conv_shortcut_{nullptr};
  Linear time_emb_proj_{nullptr};
};
TORCH_MODULE(ResnetBlock);

/// A 3x3 convolution that keeps the grid.
Conv2d conv3x3(int64_t in_channels, int64_t out_channels, bool bias = true);

/// A 1x1 convolution.
Conv2d conv1x1(int64_t in_channels, int64_t out_channels, bool bias = true);

/// Group normalisation; throws ConfigError if the groups do not divide the
/// channels.
GroupNorm group_norm(int64_t num_groups, int64_t channels, double eps);

}  // namespace calotype
