#include "denoisers/unet_blocks.h"

#include <torch/types.h>

namespace calotype {
namespace {

ResnetBlock resnet(const UNetLevelConfig& config, int64_t in,
                   Resample resample = Resample::kNone) {
  auto block = config.resnet;
  block.in_channels = in;
  block.out_channels = config.out_channels;
  block.resample = resample;
  return ResnetBlock(block);
}

torch::Tensor attend(torch::nn::ModuleList& attentions, size_t layer,
                     const torch::Tensor& x) {
  return attentions->is_empty()
             ? x
             : attentions[layer]->as<Attention>()->forward(x);
}

}  // namespace

DownLevelImpl::DownLevelImpl(const UNetLevelConfig& config) {
  for (int64_t i = 0; i < config.num_layers; ++i) {
    resnets_->push_back(
        resnet(config, i == 0 ? config.in_channels : config.out_channels));
    if (config.attention.channels > 0)
      attentions_->push_back(Attention(config.attention));
  }
  register_module("resnets", resnets_);
  if (!attentions_->is_empty()) register_module("attentions", attentions_);
  if (!config.resample) return;
  if (config.resample_by_resnet) {
    by_resnet_ = resnet(config, config.out_channels, Resample::kDown);
    register_module("downsamplers", torch::nn::ModuleList(by_resnet_));
  } else {
    by_conv_ = Downsample(config.out_channels, config.downsample_padding);
    register_module("downsamplers", torch::nn::ModuleList(by_conv_));
  }
}

void DownLevelImpl::forward(UNetState& state) {
  auto& x = state.x;
  for (size_t i = 0; i < resnets_->size(); ++i) {
    x = resnets_[i]->as<ResnetBlock>()->forward(x, state.embedding);
    x = attend(attentions_, i, x);
    state.skips.push_back(x);
  }
  if (!by_conv_ && !by_resnet_) return;
  x = by_conv_ ? by_conv_(x) : by_resnet_(x, state.embedding);
  state.skips.push_back(x);
}

UpLevelImpl::UpLevelImpl(const UNetLevelConfig& config,
                         const std::vector<int64_t>& skip_channels) {
  for (size_t i = 0; i < skip_channels.size(); ++i) {
    const auto below = i == 0 ? config.in_channels : config.out_channels;
    resnets_->push_back(resnet(config, below + skip_channels[i]));
    if (config.attention.channels > 0)
      attentions_->push_back(Attention(config.attention));
  }
  register_module("resnets", resnets_);
  if (!attentions_->is_empty()) register_module("attentions", attentions_);
  if (!config.resample) return;
  if (config.resample_by_resnet) {
    by_resnet_ = resnet(config, config.out_channels, Resample::kUp);
    register_module("upsamplers", torch::nn::ModuleList(by_resnet_));
  } else {
    by_conv_ = Upsample(config.out_channels);
    register_module("upsamplers", torch::nn::ModuleList(by_conv_));
  }
}

void UpLevelImpl::forward(UNetState& state) {
  auto& x = state.x;
  for (size_t i = 0; i < resnets_->size(); ++i) {
    x = resnets_[i]->as<ResnetBlock>()->forward(with_next_skip(state),
                                                state.embedding);
    x = attend(attentions_, i, x);
  }
  if (!by_conv_ && !by_resnet_) return;
  const auto height = state.skips.back().size(2);
  const auto width = state.skips.back().size(3);
  x = by_resnet_ ? by_resnet_->forward_to(x, state.embedding, height, width)
                 : by_conv_->forward(x, height, width);
}

torch::Tensor with_next_skip(UNetState& state) {
  const auto skip = state.skips.back();
  state.skips.pop_back();
  return torch::cat({state.x, skip}, 1);
}

}  // namespace calotype
