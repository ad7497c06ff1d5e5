#include "nn/sampling.h"

#include <torch/types.h>

#include "nn/resnet_block.h"

namespace calotype {

torch::Tensor nearest_resize(const torch::Tensor& x, int64_t height,
                             int64_t width) {
  return torch::upsample_nearest2d(x, {height, width});
}

DownsampleImpl::DownsampleImpl(int64_t channels, int64_t padding)
    : padding_(padding) {
  conv_ = register_module("conv",
                          Conv2d(torch::nn::Conv2dOptions(channels, channels, 3)
                                     .stride(2)
                                     .padding(padding)));
}

torch::Tensor DownsampleImpl::forward(const torch::Tensor& x) {
  return conv_(padding_ == 0 ? torch::constant_pad_nd(x, {0, 1, 0, 1}) : x);
}

UpsampleImpl::UpsampleImpl(int64_t channels)
    : conv_(register_module("conv", conv3x3(channels, channels))) {}

torch::Tensor UpsampleImpl::forward(const torch::Tensor& x) {
  return forward(x, 2 * x.size(2), 2 * x.size(3));
}

torch::Tensor UpsampleImpl::forward(const torch::Tensor& x, int64_t height,
                                    int64_t width) {
  return conv_(nearest_resize(x, height, width));
}

}  // namespace calotype
