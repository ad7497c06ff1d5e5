#include "vqvae/magvit2_halves.h"

#include <torch/types.h>

#include <algorithm>
#include <vector>

#include "nn/resnet_block.h"
#include "nn/sampling.h"
#include "nn/sliced.h"

namespace calotype {
namespace {

constexpr double kEps = 1e-6;

/// Residual blocks one after the other, the first of which may widen.
class BlocksImpl : public torch::nn::Module {
 public:
  BlocksImpl(const ConvCoderConfig& config, int64_t in, int64_t out) {
    for (int64_t i = 0; i < config.layers_per_block; ++i)
      blocks_->push_back(
          ResnetBlock(ResnetBlockConfig{.in_channels = i == 0 ? in : out,
                                        .out_channels = out,
                                        .num_groups = config.num_groups,
                                        .eps = kEps,
                                        .activation = config.activation,
                                        .conv_bias = false}));
    register_module("resnets", blocks_);
  }

  torch::Tensor forward(torch::Tensor x) {
    for (const auto& block : *blocks_) x = block->as<ResnetBlock>()->forward(x);
    return x;
  }

 private:
  torch::nn::ModuleList blocks_;
};
TORCH_MODULE(Blocks);

/// Blocks, then half the grid on all levels but the last.
class DownLevelImpl : public BlocksImpl {
 public:
  DownLevelImpl(const ConvCoderConfig& config, int64_t in, int64_t out,
                bool is_last)
      : BlocksImpl(config, in, out) {
    if (is_last) return;
    down_ = Downsample(out, /*padding=*/1);
    register_module("downsamplers", torch::nn::ModuleList(down_));
  }

  torch::Tensor forward(const torch::Tensor& x) {
    const auto y = BlocksImpl::forward(x);
    return down_ ? down_(y) : y;
  }

 private:
  Downsample down_{nullptr};
};
TORCH_MODULE(DownLevel);

/// Doubles the grid: four pixels of each, from a convolution to four times the
/// channels (arXiv:1609.05158, section 3.2).
class SubpixelUpsampleImpl : public torch::nn::Module {
 public:
  explicit SubpixelUpsampleImpl(int64_t channels)
      : conv_(register_module("conv", conv3x3(channels, 4 * channels))) {}

  torch::Tensor forward(const torch::Tensor& x) {
    return torch::pixel_shuffle(conv_(x), 2);
  }

 private:
  Conv2d conv_;
};
TORCH_MODULE(SubpixelUpsample);

/// What the decoder's norms are told of an image's codes: [N,D] each.
struct CodeStatistics {
  torch::Tensor deviation, mean;
};

/// Of codes [N,D,h,w]; the variance is that of a sample, with n - 1, and 0 of a
/// single one. Sums of signs are exact in double, in any order.
CodeStatistics statistics_of(const torch::Tensor& codes) {
  const auto cells = codes.flatten(2).to(torch::kDouble).contiguous();
  const auto n = double(cells.size(2));
  const auto sum = cells.sum(2);
  const auto squares = (cells.square().sum(2) - sum.square() / n).clamp_min(0);
  const auto variance = squares / std::max(n - 1, 1.0);
  return {.deviation = (variance + kEps).sqrt().to(torch::kFloat),
          .mean = (sum / n).to(torch::kFloat)};
}

/// Group normalisation scaled and shifted by an image's codes, as style
/// transfer is by a picture (arXiv:1703.06868, section 5).
class AdaptiveNormImpl : public torch::nn::Module {
 public:
  AdaptiveNormImpl(const ConvCoderConfig& config, int64_t channels)
      : num_groups_(config.num_groups) {
    group_norm(num_groups_, channels, kEps);  // that groups divide channels
    scale_ = register_module("scale", Linear(config.latent_channels, channels));
    shift_ = register_module("shift", Linear(config.latent_channels, channels));
  }

  torch::Tensor forward(const torch::Tensor& x,
                        const CodeStatistics& statistics) {
    const auto per_channel = [](const torch::Tensor& rows) {
      return rows.unsqueeze(2).unsqueeze(3);
    };
    return torch::addcmul(per_channel(shift_(statistics.mean)),
                          normalise_groups(x, num_groups_, {}, {}, kEps),
                          per_channel(scale_(statistics.deviation)));
  }

 private:
  int64_t num_groups_;
  Linear scale_{nullptr}, shift_{nullptr};
};
TORCH_MODULE(AdaptiveNorm);

/// The norm, blocks, then twice the grid on all levels but the last.
class UpLevelImpl : public BlocksImpl {
 public:
  UpLevelImpl(const ConvCoderConfig& config, int64_t in, int64_t out,
              bool is_last)
      : BlocksImpl(config, in, out),
        norm_(register_module("norm", AdaptiveNorm(config, in))) {
    if (is_last) return;
    up_ = SubpixelUpsample(out);
    register_module("upsamplers", torch::nn::ModuleList(up_));
  }

  torch::Tensor forward(const torch::Tensor& x,
                        const CodeStatistics& statistics) {
    const auto y = BlocksImpl::forward(norm_(x, statistics));
    return up_ ? up_(y) : y;
  }

 private:
  AdaptiveNorm norm_;
  SubpixelUpsample up_{nullptr};
};
TORCH_MODULE(UpLevel);

Blocks middle(const ConvCoderConfig& config) {
  const auto channels = config.block_channels.back();
  return Blocks(config, channels, channels);
}

}  // namespace

Magvit2EncoderImpl::Magvit2EncoderImpl(const ConvCoderConfig& config)
    : activation_(config.activation) {
  const auto& channels = config.block_channels;
  conv_in_ = register_module("conv_in",
                             conv3x3(config.image_channels, channels.front(),
                                     /*bias=*/false));
  for (size_t i = 0; i < channels.size(); ++i)
    down_blocks_->push_back(DownLevel(config, channels[i == 0 ? 0 : i - 1],
                                      channels[i], i + 1 == channels.size()));
  register_module("down_blocks", down_blocks_);
  mid_block_ = register_module("mid_block", middle(config).ptr());
  conv_norm_out_ = register_module(
      "conv_norm_out", group_norm(config.num_groups, channels.back(), kEps));
  conv_out_ = register_module("conv_out",
                              conv1x1(channels.back(), config.latent_channels));
}

torch::Tensor Magvit2EncoderImpl::forward(const torch::Tensor& x) {
  return in_slices(*this, {x}, [this](const std::vector<at::Tensor>& inputs) {
    return forward_rows(inputs[0]);
  });
}

torch::Tensor Magvit2EncoderImpl::forward_rows(torch::Tensor x) {
  x = conv_in_(x);
  for (const auto& level : *down_blocks_)
    x = level->as<DownLevel>()->forward(x);
  x = mid_block_->as<Blocks>()->forward(x);
  return conv_out_(norm_activate(conv_norm_out_, activation_, x));
}

Magvit2DecoderImpl::Magvit2DecoderImpl(const ConvCoderConfig& config)
    : activation_(config.activation) {
  const auto& channels = config.block_channels;
  auto in = channels.back();
  conv_in_ = register_module("conv_in", conv3x3(config.latent_channels, in));
  mid_block_ = register_module("mid_block", middle(config).ptr());
  for (size_t i = channels.size(); i-- > 0;) {
    up_blocks_->push_back(UpLevel(config, in, channels[i], i == 0));
    in = channels[i];
  }
  register_module("up_blocks", up_blocks_);
  conv_norm_out_ =
      register_module("conv_norm_out", group_norm(config.num_groups, in, kEps));
  conv_out_ = register_module("conv_out", conv3x3(in, config.image_channels));
}

torch::Tensor Magvit2DecoderImpl::forward(const torch::Tensor& codes) {
  return in_slices(*this, {codes},
                   [this](const std::vector<at::Tensor>& inputs) {
                     return forward_rows(inputs[0]);
                   });
}

torch::Tensor Magvit2DecoderImpl::forward_rows(const torch::Tensor& codes) {
  const auto statistics = statistics_of(codes);
  auto x = mid_block_->as<Blocks>()->forward(conv_in_(codes));
  for (const auto& level : *up_blocks_)
    x = level->as<UpLevel>()->forward(x, statistics);
  return conv_out_(norm_activate(conv_norm_out_, activation_, x));
}

}  // namespace calotype
