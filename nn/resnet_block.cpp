#include "nn/resnet_block.h"

#include <torch/torch.h>

#include "core/check.h"
#include "core/error.h"
#include "nn/sampling.h"

namespace calotype {

torch::nn::Conv2d conv3x3(int64_t in_channels, int64_t out_channels) {
  return torch::nn::Conv2d(
      torch::nn::Conv2dOptions(in_channels, out_channels, 3).padding(1));
}

torch::nn::Conv2d conv1x1(int64_t in_channels, int64_t out_channels) {
  return torch::nn::Conv2d(
      torch::nn::Conv2dOptions(in_channels, out_channels, 1));
}

torch::nn::GroupNorm group_norm(int64_t num_groups, int64_t channels,
                                double eps) {
  if (num_groups < 1 || channels % num_groups != 0)
    throw ConfigError(
        fmt::format("config: norm_num_groups must divide the channels, got {} "
                    "groups of {} channels",
                    num_groups, channels));
  return torch::nn::GroupNorm(
      torch::nn::GroupNormOptions(num_groups, channels).eps(eps));
}

ResnetBlockImpl::ResnetBlockImpl(const ResnetBlockConfig& config)
    : config_(config) {
  const auto in = config.in_channels, out = config.out_channels;
  const auto add_norm = [&](const char* name, int64_t channels,
                            torch::nn::GroupNorm& group, SpatialNorm& spatial) {
    if (config.condition_channels > 0)
      spatial = register_module(
          name, SpatialNorm(channels, config.condition_channels));
    else
      group = register_module(
          name, group_norm(config.num_groups, channels, config.eps));
  };
  add_norm("norm1", in, norm1_, spatial1_);
  conv1_ = register_module("conv1", conv3x3(in, out));
  if (config.embedding_dim > 0)
    time_emb_proj_ = register_module(
        "time_emb_proj", torch::nn::Linear(config.embedding_dim,
                                           config.scale_shift ? 2 * out : out));
  add_norm("norm2", out, norm2_, spatial2_);
  conv2_ = register_module("conv2", conv3x3(out, out));
  if (in != out)
    conv_shortcut_ = register_module("conv_shortcut", conv1x1(in, out));
}

torch::Tensor ResnetBlockImpl::normalise(torch::nn::GroupNorm& group,
                                         SpatialNorm& spatial,
                                         const torch::Tensor& x,
                                         const torch::Tensor& condition) {
  return spatial ? activate(config_.activation, spatial(x, condition))
                 : norm_activate(group, config_.activation, x);
}

torch::Tensor ResnetBlockImpl::forward(const torch::Tensor& x,
                                       const torch::Tensor& embedding) {
  check_shape("ResnetBlock", "x", x, {-1, config_.in_channels, -1, -1});
  auto h = normalise(norm1_, spatial1_, x, embedding);
  auto shortcut = x;
  if (config_.resample == Resample::kDown) {
    h = torch::avg_pool2d(h, 2, 2);
    shortcut = torch::avg_pool2d(shortcut, 2, 2);
  } else if (config_.resample == Resample::kUp) {
    h = nearest_resize(h, 2 * h.size(2), 2 * h.size(3));
    shortcut = nearest_resize(shortcut, h.size(2), h.size(3));
  }
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
  if (config_.dropout > 0)
    h = torch::dropout(h, config_.dropout, is_training());
  h = conv2_(h);

  if (conv_shortcut_) shortcut = conv_shortcut_(shortcut);
  const auto sum = shortcut + h;
  return config_.output_scale == 1 ? sum : sum / config_.output_scale;
}

}  // namespace calotype
