#include "vae/encoder_decoder.h"

#include <torch/torch.h>

#include "nn/sampling.h"

namespace calotype {
namespace {

constexpr double kEps = 1e-6;

ResnetBlockConfig resnet(const ConvCoderConfig& config, int64_t in,
                         int64_t out) {
  return {.in_channels = in,
          .out_channels = out,
          .num_groups = config.num_groups,
          .eps = kEps,
          .activation = config.activation};
}

MidBlock mid_block(const ConvCoderConfig& config) {
  const auto channels = config.block_channels.back();
  return MidBlock(
      resnet(config, channels, channels),
      AttentionConfig{.channels = config.mid_attention ? channels : 0,
                      .num_groups = config.num_groups,
                      .eps = kEps});
}

/// Residual blocks, then a halved or doubled grid on all levels but the last.
class LevelImpl : public torch::nn::Module {
 public:
  LevelImpl(const ConvCoderConfig& config, int64_t in, int64_t out,
            int64_t num_layers, Resample resample) {
    for (int64_t i = 0; i < num_layers; ++i)
      blocks_->push_back(ResnetBlock(resnet(config, i == 0 ? in : out, out)));
    register_module("resnets", blocks_);
    if (resample == Resample::kDown) {
      down_ = Downsample(out, /*padding=*/0);
      register_module("downsamplers", torch::nn::ModuleList(down_));
    }
    if (resample == Resample::kUp) {
      up_ = Upsample(out);
      register_module("upsamplers", torch::nn::ModuleList(up_));
    }
  }

  torch::Tensor forward(torch::Tensor x) {
    for (const auto& block : *blocks_) x = block->as<ResnetBlock>()->forward(x);
    if (down_) return down_(x);
    return up_ ? up_->forward(x) : x;
  }

 private:
  torch::nn::ModuleList blocks_;
  Downsample down_{nullptr};
  Upsample up_{nullptr};
};
TORCH_MODULE(Level);

}  // namespace

EncoderImpl::EncoderImpl(const ConvCoderConfig& config)
    : activation_(config.activation) {
  const auto& channels = config.block_channels;
  conv_in_ = register_module("conv_in",
                             conv3x3(config.image_channels, channels.front()));
  for (size_t i = 0; i < channels.size(); ++i) {
    const bool last = i + 1 == channels.size();
    down_blocks_->push_back(Level(config, channels[i == 0 ? 0 : i - 1],
                                  channels[i], config.layers_per_block,
                                  last ? Resample::kNone : Resample::kDown));
  }
  register_module("down_blocks", down_blocks_);
  mid_block_ = register_module("mid_block", mid_block(config));
  conv_norm_out_ = register_module(
      "conv_norm_out", group_norm(config.num_groups, channels.back(), kEps));
  conv_out_ = register_module("conv_out",
                              conv3x3(channels.back(), config.latent_channels));
}

torch::Tensor EncoderImpl::forward(torch::Tensor x) {
  x = conv_in_(x);
  for (const auto& level : *down_blocks_) x = level->as<Level>()->forward(x);
  x = mid_block_(x);
  return conv_out_(norm_activate(conv_norm_out_, activation_, x));
}

DecoderImpl::DecoderImpl(const ConvCoderConfig& config)
    : activation_(config.activation) {
  const auto& channels = config.block_channels;
  conv_in_ = register_module("conv_in",
                             conv3x3(config.latent_channels, channels.back()));
  mid_block_ = register_module("mid_block", mid_block(config));
  auto in = channels.back();
  for (size_t i = channels.size(); i-- > 0;) {
    up_blocks_->push_back(Level(config, in, channels[i],
                                config.layers_per_block + 1,
                                i == 0 ? Resample::kNone : Resample::kUp));
    in = channels[i];
  }
  register_module("up_blocks", up_blocks_);
  conv_norm_out_ = register_module(
      "conv_norm_out", group_norm(config.num_groups, channels.front(), kEps));
  conv_out_ = register_module("conv_out",
                              conv3x3(channels.front(), config.image_channels));
}

torch::Tensor DecoderImpl::forward(torch::Tensor z) {
  z = mid_block_(conv_in_(z));
  for (const auto& level : *up_blocks_) z = level->as<Level>()->forward(z);
  return conv_out_(norm_activate(conv_norm_out_, activation_, z));
}

}  // namespace calotype
