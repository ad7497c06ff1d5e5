#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "nn/attention.h"
#include "nn/resnet_block.h"
#include "nn/sampling.h"

namespace calotype {

/// What goes through the levels of a U-Net.
struct UNetState {
  torch::Tensor x;                   // [N,C,h,w] of the level
  torch::Tensor embedding;           // [N,embedding_dim] of time and class
  std::vector<torch::Tensor> skips;  // of the way down, for the way up
  /// Beside x: the input, halved on the way down; then the output so far,
  /// doubled on the way up (unet_skip_blocks.h). Undefined: none yet.
  torch::Tensor pyramid;
};

/// One level, on the way down or up.
class UNetLevel : public torch::nn::Module {
 public:
  virtual void forward(UNetState& state) = 0;
};

struct UNetLevelConfig {
  ResnetBlockConfig resnet;   // of a block with the level's output channels
  AttentionConfig attention;  // channels 0: none
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t num_layers = 1;
  bool resample = false;  // end with a halved or doubled grid
  bool resample_by_resnet =
      false;  // by a residual block instead of a convolution
  int64_t downsample_padding = 1;
  int64_t pyramid_channels = 0;  // of the input or of the output
};

/// DownBlock2D, ResnetDownsampleBlock2D with resample_by_resnet, or
/// AttnDownBlock2D with attention after each block: resnets, attentions,
/// downsamplers. Leaves one skip per layer and one of the halved grid.
class DownLevelImpl : public UNetLevel {
 public:
  explicit DownLevelImpl(const UNetLevelConfig& config);
  void forward(UNetState& state) override;

 private:
  torch::nn::ModuleList resnets_, attentions_;
  Downsample by_conv_{nullptr};
  ResnetBlock by_resnet_{nullptr};
};
TORCH_MODULE(DownLevel);

/// UpBlock2D, ResnetUpsampleBlock2D or AttnUpBlock2D: resnets, attentions,
/// upsamplers. Takes one skip per layer; the grid is doubled to the size of the
/// next skip, so that odd sizes come back as they were.
class UpLevelImpl : public UNetLevel {
 public:
  /// `skip_channels`: of the skips in the order in which they are taken, one
  /// per layer.
  UpLevelImpl(const UNetLevelConfig& config,
              const std::vector<int64_t>& skip_channels);
  void forward(UNetState& state) override;

 private:
  torch::nn::ModuleList resnets_, attentions_;
  Upsample by_conv_{nullptr};
  ResnetBlock by_resnet_{nullptr};
};
TORCH_MODULE(UpLevel);

/// Puts the last skip beside x, along the channels.
torch::Tensor with_next_skip(UNetState& state);

}  // namespace calotype
