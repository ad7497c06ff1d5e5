#include "nn/resnet_block.h"

#include <fmt/format.h>

#include <torch/nn/modules/normalization.h>
#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"
#include "nn/fir.h"
#include "nn/sampling.h"
#include "nn/sliced.h"

namespace calotype {

Conv2d conv3x3(int64_t in_channels, int64_t out_channels, bool bias) {
  return Conv2d(torch::nn::Conv2dOptions(in_channels, out_channels, 3)
                    .padding(1)
                    .bias(bias));
}

Conv2d conv1x1(int64_t in_channels, int64_t out_channels, bool bias) {
  return Conv2d(
      torch::nn::Conv2dOptions(in_channels, out_channels, 1).bias(bias));
}

GroupNorm group_norm(int64_t num_groups, int64_t channels, double eps) {
  if (num_groups < 1 || channels % num_groups != 0)
    throw ConfigError(
        fmt::format("config: norm_num_groups must divide the channels, got {} "
                    "groups of {} channels",
                    num_groups, channels));
  return GroupNorm(torch::nn::GroupNormOptions(num_groups, channels).eps(eps));
}

ResnetBlockImpl::ResnetBlockImpl(const ResnetBlockConfig& config)
    : config_(config) {
  const auto in = config.in_channels, out = config.out_channels;
  const auto add_norm = [&](const char* name, int64_t channels,
                            int64_t num_groups, GroupNorm& group,
                            SpatialNorm& spatial) {
    if (config.condition_channels > 0)
      spatial = register_module(
          name, SpatialNorm(channels, config.condition_channels));
    else
      group =
          register_module(name, group_norm(num_groups, channels, config.eps));
  };
  add_norm("norm1", in, config.num_groups, norm1_, spatial1_);
  conv1_ = register_module("conv1", conv3x3(in, out, config.conv_bias));
  if (config.embedding_dim > 0)
    time_emb_proj_ = register_module(
        "time_emb_proj",
        Linear(config.embedding_dim, config.scale_shift ? 2 * out : out));
  add_norm(
      "norm2", out,
      config.num_groups_out > 0 ? config.num_groups_out : config.num_groups,
      norm2_, spatial2_);
  conv2_ = register_module("conv2", conv3x3(out, out, config.conv_bias));
  const bool by_filter = config.resample == Resample::kFirDown ||
                         config.resample == Resample::kFirUp;
  if (in != out || by_filter)
    conv_shortcut_ =
        register_module("conv_shortcut", conv1x1(in, out, config.conv_bias));
}

torch::Tensor ResnetBlockImpl::normalise(GroupNorm& group, SpatialNorm& spatial,
                                         const torch::Tensor& x,
                                         const torch::Tensor& condition) {
  return spatial ? activate(config_.activation, spatial(x, condition))
                 : norm_activate(group, config_.activation, x);
}

torch::Tensor ResnetBlockImpl::resampled(const torch::Tensor& x, int64_t height,
                                         int64_t width) const {
  switch (config_.resample) {
    case Resample::kDown:
      return torch::avg_pool2d(x, 2, 2);
    case Resample::kUp:
      return nearest_resize(x, height, width);
    case Resample::kFirDown:
      return fir_downsample(x, FirEdge::kZeros);
    case Resample::kFirUp:
      return fir_upsample(x, height, width, FirEdge::kZeros);
    case Resample::kNone:
      break;
  }
  return x;
}

torch::Tensor ResnetBlockImpl::forward(const torch::Tensor& x,
                                       const torch::Tensor& embedding) {
  check_shape("ResnetBlock", "x", x, {-1, config_.in_channels, -1, -1});
  return forward_to(x, embedding, 2 * x.size(2), 2 * x.size(3));
}

torch::Tensor ResnetBlockImpl::forward_to(const torch::Tensor& x,
                                          const torch::Tensor& embedding,
                                          int64_t height, int64_t width) {
  check_shape("ResnetBlock", "x", x, {-1, config_.in_channels, -1, -1});
  auto h = resampled(normalise(norm1_, spatial1_, x, embedding), height, width);
  auto shortcut = resampled(x, height, width);
  h = conv1_(h);

  torch::Tensor shift;
  if (time_emb_proj_) {
    check_shape("ResnetBlock", "embedding", embedding,
                {x.size(0), config_.embedding_dim});
    shift = time_emb_proj_(activate(config_.activation, embedding))
                .unsqueeze(2)
                .unsqueeze(3);
  }
  if (shift.defined() && config_.scale_shift) {
    const auto halves = shift.chunk(2, 1);
    h = activate(config_.activation, norm2_(h) * (1 + halves[0]) + halves[1]);
  } else {
    if (shift.defined()) h = h + shift;
    h = normalise(norm2_, spatial2_, h, embedding);
  }
  if (config_.dropout > 0) h = drop_out(h, config_.dropout, is_training());
  h = conv2_(h);

  if (conv_shortcut_) shortcut = conv_shortcut_(shortcut);
  const auto sum = shortcut + h;
  return config_.output_scale == 1 ? sum : sum / config_.output_scale;
}

}  // namespace calotype
