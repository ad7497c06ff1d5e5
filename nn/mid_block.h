#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include "nn/attention.h"
#include "nn/resnet_block.h"

namespace calotype {

/// Residual block, attention (optional), residual block at the coarsest grid:
/// diffusers' UNetMidBlock2D, named resnets.{0,1}, attentions.0.
class MidBlockImpl : public torch::nn::Module {
 public:
  /// `resnet`: both blocks (in and out channels equal). `attention`: channels 0
  /// for none.
  MidBlockImpl(const ResnetBlockConfig& resnet,
               const AttentionConfig& attention);

  torch::Tensor forward(const torch::Tensor& x,
                        const torch::Tensor& embedding = {});

 private:
  ResnetBlock first_{nullptr}, second_{nullptr};
  Attention attention_{nullptr};
};
TORCH_MODULE(MidBlock);

}  // namespace calotype
