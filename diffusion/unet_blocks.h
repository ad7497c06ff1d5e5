#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include <vector>

#include "nn/attention.h"
#include "nn/resnet_block.h"
#include "nn/sampling.h"

namespace calotype {

/// One level of a U-Net, on the way down or up.
struct UNetLevelConfig {
  ResnetBlockConfig resnet;   // of a block with the level's output channels
  AttentionConfig attention;  // after each block; channels 0: none
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t num_layers = 1;
  bool resample = false;  // end with a halved or doubled grid
  bool resample_by_resnet =
      false;  // by a residual block instead of a convolution
  int64_t downsample_padding = 1;
};

/// DownBlock2D, or AttnDownBlock2D with attention: resnets, attentions,
/// downsamplers.
class DownLevelImpl : public torch::nn::Module {
 public:
  explicit DownLevelImpl(const UNetLevelConfig& config);

  /// Appends what the way up will want, one tensor per layer and one for the
  /// halved grid, to `skips` and returns the last.
  torch::Tensor forward(torch::Tensor x, const torch::Tensor& embedding,
                        std::vector<torch::Tensor>& skips);

 private:
  torch::nn::ModuleList resnets_, attentions_;
  Downsample by_conv_{nullptr};
  ResnetBlock by_resnet_{nullptr};
};
TORCH_MODULE(DownLevel);

/// UpBlock2D, or AttnUpBlock2D with attention: resnets, attentions, upsamplers.
class UpLevelImpl : public torch::nn::Module {
 public:
  /// `skip_channels`: of the skips in the order in which they are taken, one
  /// per layer.
  UpLevelImpl(const UNetLevelConfig& config,
              const std::vector<int64_t>& skip_channels);

  /// Takes its skips from the end of `skips`. The grid is doubled to the size
  /// of the next skip, so that odd sizes come back as they were.
  torch::Tensor forward(torch::Tensor x, const torch::Tensor& embedding,
                        std::vector<torch::Tensor>& skips);

 private:
  torch::nn::ModuleList resnets_, attentions_;
  Upsample by_conv_{nullptr};
  ResnetBlock by_resnet_{nullptr};
};
TORCH_MODULE(UpLevel);

}  // namespace calotype
