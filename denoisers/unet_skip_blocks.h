#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include <vector>

#include "denoisers/unet_blocks.h"
#include "nn/batch_invariant.h"
#include "nn/group_norm.h"

// The levels of NCSN++ (arXiv:2011.13456, appendix H) that carry a small
// picture beside the features: the input into each level of the way down, the
// output out of each level of the way up. Everything is resampled by the filter
// of nn/fir.h. Where diffusers has 3 channels of a picture, these have as many
// as the model takes and gives.
namespace calotype {

/// diffusers gives these blocks their own numbers of groups.
int64_t skip_block_groups(int64_t channels);  // min(channels / 4, 32)

/// SkipDownBlock2D, or AttnSkipDownBlock2D with attention after each block:
/// resnets, attentions, resnet_down, skip_conv.
class SkipDownLevelImpl : public UNetLevel {
 public:
  explicit SkipDownLevelImpl(const UNetLevelConfig& config);
  void forward(UNetState& state) override;

 private:
  torch::nn::ModuleList resnets_, attentions_;
  ResnetBlock resnet_down_{nullptr};
  Conv2d skip_conv_{nullptr};
};
TORCH_MODULE(SkipDownLevel);

/// SkipUpBlock2D, or AttnSkipUpBlock2D with one attention after all blocks:
/// resnets, attentions.0, resnet_up, skip_norm, skip_conv.
class SkipUpLevelImpl : public UNetLevel {
 public:
  SkipUpLevelImpl(const UNetLevelConfig& config,
                  const std::vector<int64_t>& skip_channels);
  void forward(UNetState& state) override;

 private:
  torch::nn::ModuleList resnets_, attentions_;
  ResnetBlock resnet_up_{nullptr};
  GroupNorm skip_norm_{nullptr};
  Conv2d skip_conv_{nullptr};
};
TORCH_MODULE(SkipUpLevel);

}  // namespace calotype
