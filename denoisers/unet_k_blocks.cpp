#include "denoisers/unet_k_blocks.h"

#include <fmt/format.h>
#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"
#include "nn/fir.h"
#include "nn/group_norm.h"
#include "nn/sliced.h"

namespace calotype {
namespace {

constexpr int64_t kGroupSize = 32;

KResnetBlock resnet(const UNetLevelConfig& config, int64_t in, int64_t out) {
  auto block = config.resnet;
  block.in_channels = in;
  block.out_channels = out;
  block.num_groups = in / kGroupSize;
  block.num_groups_out = config.out_channels / kGroupSize;
  return KResnetBlock(block);
}

}  // namespace

AdaptiveGroupNormImpl::AdaptiveGroupNormImpl(int64_t embedding_dim,
                                             int64_t channels,
                                             int64_t num_groups, double eps)
    : num_groups_(num_groups), eps_(eps) {
  if (num_groups < 1 || channels % num_groups != 0)
    throw ConfigError(fmt::format(
        "config: K blocks need channels in groups of {}, got {} channels",
        kGroupSize, channels));
  linear_ = register_module("linear", Linear(embedding_dim, 2 * channels));
}

torch::Tensor AdaptiveGroupNormImpl::forward(const torch::Tensor& x,
                                             const torch::Tensor& embedding) {
  const auto parts =
      linear_(embedding).unsqueeze(2).unsqueeze(3).chunk(2, 1);  // scale, shift
  return torch::addcmul(
      parts[1], normalise_groups(x, num_groups_, {}, {}, eps_), 1 + parts[0]);
}

KResnetBlockImpl::KResnetBlockImpl(const ResnetBlockConfig& config)
    : config_(config) {
  const auto in = config.in_channels, out = config.out_channels;
  const auto norm = [&](int64_t channels, int64_t groups) {
    return AdaptiveGroupNorm(config.embedding_dim, channels, groups,
                             config.eps);
  };
  norm1_ = register_module("norm1", norm(in, config.num_groups));
  conv1_ = register_module("conv1", conv3x3(in, out));
  norm2_ = register_module("norm2", norm(out, config.num_groups_out));
  conv2_ = register_module("conv2", conv3x3(out, out));
  if (in != out)
    conv_shortcut_ = register_module(
        "conv_shortcut",
        Conv2d(torch::nn::Conv2dOptions(in, out, 1).bias(false)));
}

torch::Tensor KResnetBlockImpl::forward(const torch::Tensor& x,
                                        const torch::Tensor& embedding) {
  check_shape("KResnetBlock", "x", x, {-1, config_.in_channels, -1, -1});
  auto h = conv1_(activate(config_.activation, norm1_(x, embedding)));
  h = activate(config_.activation, norm2_(h, embedding));
  if (config_.dropout > 0)
    h = drop_out(h, config_.dropout, is_training());
  return conv2_(h) + (conv_shortcut_ ? conv_shortcut_(x) : x);
}

KDownLevelImpl::KDownLevelImpl(const UNetLevelConfig& config)
    : resample_(config.resample) {
  for (int64_t i = 0; i < config.num_layers; ++i)
    resnets_->push_back(
        resnet(config, i == 0 ? config.in_channels : config.out_channels,
               config.out_channels));
  register_module("resnets", resnets_);
}

void KDownLevelImpl::forward(UNetState& state) {
  auto& x = state.x;
  for (const auto& block : *resnets_) {
    x = block->as<KResnetBlock>()->forward(x, state.embedding);
    state.skips.push_back(x);
  }
  if (resample_) x = fir_downsample(x, FirEdge::kMirror);
}

KUpLevelImpl::KUpLevelImpl(const UNetLevelConfig& config, int64_t next_channels)
    : resample_(config.resample) {
  const auto channels = config.out_channels, layers = config.num_layers;
  for (int64_t i = 0; i < layers; ++i)
    resnets_->push_back(resnet(config, i == 0 ? 2 * channels : channels,
                               i + 1 == layers ? next_channels : channels));
  register_module("resnets", resnets_);
}

void KUpLevelImpl::forward(UNetState& state) {
  auto& x = state.x;
  x = with_next_skip(state);
  state.skips.resize(state.skips.size() + 1 - resnets_->size());
  for (const auto& block : *resnets_)
    x = block->as<KResnetBlock>()->forward(x, state.embedding);
  if (resample_)
    x = fir_upsample(x, state.skips.back().size(2), state.skips.back().size(3),
                     FirEdge::kMirror);
}

}  // namespace calotype
