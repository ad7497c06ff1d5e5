#include "denoisers/unet_skip_blocks.h"

#include <algorithm>
#include <numbers>

#include "nn/fir.h"

namespace calotype {
namespace {

constexpr int64_t kAttentionGroups = 32;

ResnetBlock resnet_of_groups(const UNetLevelConfig& config, int64_t in,
                             int64_t groups,
                             Resample resample = Resample::kNone) {
  auto block = config.resnet;
  block.in_channels = in;
  block.out_channels = config.out_channels;
  block.num_groups = groups;
  block.num_groups_out = skip_block_groups(config.out_channels);
  block.output_scale = std::numbers::sqrt2;
  block.resample = resample;
  return ResnetBlock(block);
}

Attention attention(const UNetLevelConfig& config) {
  auto attention = config.attention;
  attention.num_groups = kAttentionGroups;
  attention.output_scale = std::numbers::sqrt2;
  return Attention(attention);
}

}  // namespace

int64_t skip_block_groups(int64_t channels) {
  return std::clamp<int64_t>(channels / 4, 1, 32);
}

SkipDownLevelImpl::SkipDownLevelImpl(const UNetLevelConfig& config) {
  const auto out = config.out_channels;
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const auto in = i == 0 ? config.in_channels : out;
    resnets_->push_back(resnet_of_groups(config, in, skip_block_groups(in)));
    if (config.attention.channels > 0)
      attentions_->push_back(attention(config));
  }
  register_module("resnets", resnets_);
  if (!attentions_->is_empty()) register_module("attentions", attentions_);
  if (!config.resample) return;
  resnet_down_ = register_module(
      "resnet_down", resnet_of_groups(config, out, skip_block_groups(out),
                                      Resample::kFirDown));
  skip_conv_ =
      register_module("skip_conv", conv1x1(config.pyramid_channels, out));
}

void SkipDownLevelImpl::forward(UNetState& state) {
  auto& x = state.x;
  for (size_t i = 0; i < resnets_->size(); ++i) {
    x = resnets_[i]->as<ResnetBlock>()->forward(x, state.embedding);
    if (!attentions_->is_empty())
      x = attentions_[i]->as<Attention>()->forward(x);
    state.skips.push_back(x);
  }
  if (!resnet_down_) return;
  state.pyramid = fir_downsample(state.pyramid, FirEdge::kZeros);
  x = skip_conv_(state.pyramid) + resnet_down_(x, state.embedding);
  state.skips.push_back(x);
}

SkipUpLevelImpl::SkipUpLevelImpl(const UNetLevelConfig& config,
                                 const std::vector<int64_t>& skip_channels) {
  const auto out = config.out_channels;
  const bool attends = config.attention.channels > 0;
  for (size_t i = 0; i < skip_channels.size(); ++i) {
    const auto below = i == 0 ? config.in_channels : out;
    const auto in = below + skip_channels[i];
    // With attention diffusers divides the second term alone by 4.
    const auto groups =
        attends ? std::min<int64_t>(below + skip_channels[i] / 4, 32)
                : skip_block_groups(in);
    resnets_->push_back(resnet_of_groups(config, in, groups));
  }
  register_module("resnets", resnets_);
  if (attends) {
    attentions_->push_back(attention(config));
    register_module("attentions", attentions_);
  }
  if (!config.resample) return;
  const auto groups = skip_block_groups(out);
  resnet_up_ = register_module(
      "resnet_up", resnet_of_groups(config, out, groups, Resample::kFirUp));
  skip_norm_ =
      register_module("skip_norm", group_norm(groups, out, config.resnet.eps));
  skip_conv_ =
      register_module("skip_conv", conv3x3(out, config.pyramid_channels));
}

void SkipUpLevelImpl::forward(UNetState& state) {
  auto& x = state.x;
  for (const auto& block : *resnets_)
    x = block->as<ResnetBlock>()->forward(with_next_skip(state),
                                          state.embedding);
  if (!attentions_->is_empty()) x = attentions_[0]->as<Attention>()->forward(x);
  if (state.pyramid.defined())
    state.pyramid =
        fir_upsample(state.pyramid, x.size(2), x.size(3), FirEdge::kZeros);
  if (!resnet_up_) return;
  const auto seen = skip_conv_(norm_activate(skip_norm_, Activation::kSilu, x));
  state.pyramid = state.pyramid.defined() ? state.pyramid + seen : seen;
  x = resnet_up_->forward_to(x, state.embedding, state.skips.back().size(2),
                             state.skips.back().size(3));
}

}  // namespace calotype
