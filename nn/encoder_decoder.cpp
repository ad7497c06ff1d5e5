#include "nn/encoder_decoder.h"

#include <fmt/format.h>

#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"
#include "nn/sampling.h"
#include "nn/sliced.h"

namespace calotype {
namespace {

constexpr double kEps = 1e-6;

ResnetBlockConfig resnet(const ConvCoderConfig& config, int64_t in,
                         int64_t out) {
  return {.in_channels = in,
          .out_channels = out,
          .num_groups = config.num_groups,
          .eps = kEps,
          .condition_channels = config.condition_channels,
          .activation = config.activation};
}

AttentionConfig attention(const ConvCoderConfig& config, int64_t channels) {
  return {.channels = channels,
          .num_groups = config.num_groups,
          .condition_channels = config.condition_channels,
          .eps = kEps};
}

MidBlock mid_block(const ConvCoderConfig& config) {
  const auto channels = config.block_channels.back();
  return MidBlock(
      resnet(config, channels, channels),
      config.mid_attention ? attention(config, channels) : AttentionConfig{});
}

/// Residual blocks, each with attention if the level has it, then a halved or
/// doubled grid on all levels but the last.
class LevelImpl : public torch::nn::Module {
 public:
  LevelImpl(const ConvCoderConfig& config, const std::string& type, int64_t in,
            int64_t out, int64_t num_layers, Resample resample) {
    for (int64_t i = 0; i < num_layers; ++i) {
      blocks_->push_back(ResnetBlock(resnet(config, i == 0 ? in : out, out)));
      if (type.starts_with("Attn"))
        attentions_->push_back(Attention(attention(config, out)));
    }
    register_module("resnets", blocks_);
    if (!attentions_->is_empty()) register_module("attentions", attentions_);
    if (resample == Resample::kDown) {
      down_ = Downsample(out, /*padding=*/0);
      register_module("downsamplers", torch::nn::ModuleList(down_));
    }
    if (resample == Resample::kUp) {
      up_ = Upsample(out);
      register_module("upsamplers", torch::nn::ModuleList(up_));
    }
  }

  torch::Tensor forward(torch::Tensor x, const torch::Tensor& condition = {}) {
    for (size_t i = 0; i < blocks_->size(); ++i) {
      x = blocks_[i]->as<ResnetBlock>()->forward(x, condition);
      if (!attentions_->is_empty())
        x = attentions_[i]->as<Attention>()->forward(x, condition);
    }
    if (down_) return down_(x);
    return up_ ? up_->forward(x) : x;
  }

 private:
  torch::nn::ModuleList blocks_, attentions_;
  Downsample down_{nullptr};
  Upsample up_{nullptr};
};
TORCH_MODULE(Level);

void validate_half(const char* where, const ConvCoderConfig& c,
                   const char* channels_key, const char* types_key,
                   const char* plain, const char* with_attention) {
  constexpr double kMany = 1 << 16;
  check_range(where, channels_key, double(c.image_channels), 1, kMany);
  check_range(where, "latent_channels", double(c.latent_channels), 1, kMany);
  check_range(where, "layers_per_block", double(c.layers_per_block), 1, 64);
  check_range(where, "number of block_out_channels",
              double(c.block_channels.size()), 1, 16);
  for (const auto channels : c.block_channels)
    check_range(where, "block_out_channels", double(channels), 1, kMany);
  if (c.block_types.size() != c.block_channels.size())
    throw ConfigError(fmt::format(
        "{}: {} must have as many entries as block_out_channels, "
        "{}, got {}",
        where, types_key, c.block_channels.size(), c.block_types.size()));
  for (const auto& type : c.block_types)
    check_one_of(where, types_key, type, {plain, with_attention});
}

}  // namespace

EncoderImpl::EncoderImpl(const ConvCoderConfig& config)
    : activation_(config.activation) {
  const auto& channels = config.block_channels;
  conv_in_ = register_module("conv_in",
                             conv3x3(config.image_channels, channels.front()));
  for (size_t i = 0; i < channels.size(); ++i) {
    const bool last = i + 1 == channels.size();
    down_blocks_->push_back(Level(config, config.block_types[i],
                                  channels[i == 0 ? 0 : i - 1], channels[i],
                                  config.layers_per_block,
                                  last ? Resample::kNone : Resample::kDown));
  }
  register_module("down_blocks", down_blocks_);
  mid_block_ = register_module("mid_block", mid_block(config));
  conv_norm_out_ = register_module(
      "conv_norm_out", group_norm(config.num_groups, channels.back(), kEps));
  conv_out_ = register_module("conv_out",
                              conv3x3(channels.back(), config.latent_channels));
}

torch::Tensor EncoderImpl::forward(const torch::Tensor& x) {
  return in_slices(*this, {x}, [this](const std::vector<at::Tensor>& inputs) {
    return forward_rows(inputs[0]);
  });
}

torch::Tensor EncoderImpl::forward_rows(torch::Tensor x) {
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
    const auto& type = config.block_types[channels.size() - 1 - i];
    up_blocks_->push_back(Level(config, type, in, channels[i],
                                config.layers_per_block + 1,
                                i == 0 ? Resample::kNone : Resample::kUp));
    in = channels[i];
  }
  register_module("up_blocks", up_blocks_);
  if (config.condition_channels > 0)
    spatial_norm_out_ = register_module(
        "conv_norm_out",
        SpatialNorm(channels.front(), config.condition_channels));
  else
    conv_norm_out_ = register_module(
        "conv_norm_out", group_norm(config.num_groups, channels.front(), kEps));
  conv_out_ = register_module("conv_out",
                              conv3x3(channels.front(), config.image_channels));
}

torch::Tensor DecoderImpl::forward(const torch::Tensor& z,
                                   const torch::Tensor& condition) {
  return in_slices(*this, {z, condition},
                   [this](const std::vector<at::Tensor>& inputs) {
                     return forward_rows(inputs[0], inputs[1]);
                   });
}

torch::Tensor DecoderImpl::forward_rows(torch::Tensor z,
                                        const torch::Tensor& condition) {
  z = mid_block_(conv_in_(z), condition);
  for (const auto& level : *up_blocks_)
    z = level->as<Level>()->forward(z, condition);
  if (spatial_norm_out_)
    return conv_out_(activate(activation_, spatial_norm_out_(z, condition)));
  return conv_out_(norm_activate(conv_norm_out_, activation_, z));
}

void validate_encoder(const char* where, const ConvCoderConfig& config) {
  validate_half(where, config, "in_channels", "down_block_types",
                "DownEncoderBlock2D", "AttnDownEncoderBlock2D");
}

void validate_decoder(const char* where, const ConvCoderConfig& config) {
  validate_half(where, config, "out_channels", "up_block_types",
                "UpDecoderBlock2D", "AttnUpDecoderBlock2D");
}

}  // namespace calotype
