#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include "denoisers/unet_blocks.h"
#include "nn/batch_invariant.h"

// The levels of k-diffusion's upscaler as diffusers has them: residual blocks
// whose norms the embedding scales and shifts, grids resampled by the filter of
// nn/fir.h with mirrored edges, and one skip per level on the way up.
namespace calotype {

/// Group normalisation without parameters, scaled and shifted by a linear map
/// of the embedding: diffusers' AdaGroupNorm, named linear.
class AdaptiveGroupNormImpl : public torch::nn::Module {
 public:
  /// Throws ConfigError if the groups do not divide the channels.
  AdaptiveGroupNormImpl(int64_t embedding_dim, int64_t channels,
                        int64_t num_groups, double eps);

  /// `x`: [N,channels,H,W]; `embedding`: [N,embedding_dim].
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& embedding);

 private:
  int64_t num_groups_;
  double eps_;
  Linear linear_{nullptr};
};
TORCH_MODULE(AdaptiveGroupNorm);

/// diffusers' ResnetBlockCondNorm2D with "ada_group": norm1.linear, conv1,
/// norm2.linear, conv2, conv_shortcut (without a bias).
class KResnetBlockImpl : public torch::nn::Module {
 public:
  explicit KResnetBlockImpl(const ResnetBlockConfig& config);

  /// `x`: [N,in_channels,H,W]; `embedding`: [N,embedding_dim].
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& embedding);

 private:
  ResnetBlockConfig config_;
  AdaptiveGroupNorm norm1_{nullptr}, norm2_{nullptr};
  Conv2d conv1_{nullptr}, conv2_{nullptr}, conv_shortcut_{nullptr};
};
TORCH_MODULE(KResnetBlock);

/// KDownBlock2D: resnets. Leaves one skip per layer and none of the halved
/// grid.
class KDownLevelImpl : public UNetLevel {
 public:
  explicit KDownLevelImpl(const UNetLevelConfig& config);
  void forward(UNetState& state) override;

 private:
  bool resample_;
  torch::nn::ModuleList resnets_;
};
TORCH_MODULE(KDownLevel);

/// KUpBlock2D: resnets. Takes `num_layers` skips and uses the first of them, of
/// as many channels as x.
class KUpLevelImpl : public UNetLevel {
 public:
  /// `config`: in_channels and out_channels as elsewhere, of this level;
  /// `next_channels`: of the level above it, which its last block makes.
  KUpLevelImpl(const UNetLevelConfig& config, int64_t next_channels);
  void forward(UNetState& state) override;

 private:
  bool resample_;
  torch::nn::ModuleList resnets_;
};
TORCH_MODULE(KUpLevel);

}  // namespace calotype
