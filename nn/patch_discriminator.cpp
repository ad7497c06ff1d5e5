#include "nn/patch_discriminator.h"

#include <torch/nn/modules/activation.h>
#include <torch/types.h>

#include "core/check.h"
#include "nn/batch_invariant.h"
#include "nn/resnet_block.h"
#include "nn/precision.h"
#include "nn/sliced.h"

namespace calotype {
namespace {

constexpr int64_t kGroupSize = 8;  // channels of a group
constexpr int64_t kMostWider = 8;  // times the first layer's channels
constexpr double kSlope = 0.2;     // of the activation below 0

Conv2d patch_conv(int64_t in, int64_t out, int64_t stride, bool bias) {
  return Conv2d(torch::nn::Conv2dOptions(in, out, 4)
                    .stride(stride)
                    .padding(1)
                    .bias(bias));
}

torch::nn::LeakyReLU activation() {
  return torch::nn::LeakyReLU(
      torch::nn::LeakyReLUOptions().negative_slope(kSlope));
}

}  // namespace

PatchDiscriminatorImpl::PatchDiscriminatorImpl(
    const PatchDiscriminatorConfig& config) {
  check_range("discriminator", "channels", double(config.channels), kGroupSize,
              1 << 16);
  check_range("discriminator", "num_layers", double(config.num_layers), 1, 16);
  layers_->push_back(
      patch_conv(config.image_channels, config.channels, 2, true));
  layers_->push_back(activation());
  auto in = config.channels;
  for (int64_t i = 1; i <= config.num_layers; ++i) {
    const auto out = config.channels * std::min(int64_t{1} << i, kMostWider);
    const bool halves = i < config.num_layers;
    layers_->push_back(patch_conv(in, out, halves ? 2 : 1, false));
    layers_->push_back(group_norm(out / kGroupSize, out, 1e-5));
    layers_->push_back(activation());
    in = out;
  }
  layers_->push_back(patch_conv(in, 1, 1, true));
  register_module("layers", layers_);
}

torch::Tensor PatchDiscriminatorImpl::forward(const torch::Tensor& images) {
  const PrecisionScope exact(Precision::kFp32);  // it is a loss
  return in_slices(*this, {images},
                   [this](const std::vector<at::Tensor>& inputs) {
                     return layers_->forward(inputs[0]);
                   });
}

}  // namespace calotype
