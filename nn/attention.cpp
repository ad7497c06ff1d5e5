#include "nn/attention.h"

#include <fmt/format.h>

#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"
#include "nn/resnet_block.h"
#include "nn/scaled_dot_product.h"

namespace calotype {
AttentionImpl::AttentionImpl(const AttentionConfig& config) : config_(config) {
  const auto channels = config.channels;
  const auto head_dim = config.head_dim > 0 ? config.head_dim : channels;
  if (channels % head_dim != 0)
    throw ConfigError(
        fmt::format("config: attention_head_dim must divide the channels, got "
                    "{} of {} channels",
                    head_dim, channels));
  num_heads_ = channels / head_dim;
  if (config.condition_channels > 0)
    spatial_norm_ = register_module(
        "spatial_norm", SpatialNorm(channels, config.condition_channels));
  else if (config.num_groups > 0)
    group_norm_ = register_module(
        "group_norm", group_norm(config.num_groups, channels, config.eps));
  to_q_ = register_module("to_q", Linear(channels, channels));
  to_k_ = register_module("to_k", Linear(channels, channels));
  to_v_ = register_module("to_v", Linear(channels, channels));
  to_out_ = register_module("to_out",
                            torch::nn::ModuleList(Linear(channels, channels)));
}

torch::Tensor AttentionImpl::forward(const torch::Tensor& x,
                                     const torch::Tensor& condition) {
  check_shape("Attention", "x", x, {-1, config_.channels, -1, -1});
  const auto normed = spatial_norm_ ? spatial_norm_(x, condition)
                      : group_norm_ ? group_norm_(x)
                                    : x;
  const auto rows = normed.flatten(2).transpose(1, 2);  // [N,H*W,C]
  const auto heads = [&](Linear& projection) {
    return split_heads(projection(rows), num_heads_);
  };
  const auto mixed =
      merge_heads(scaled_dot_product(heads(to_q_), heads(to_k_), heads(to_v_)));
  const auto out = to_out_[0]->as<Linear>()->forward(mixed);
  const auto sum = out.transpose(1, 2).reshape(x.sizes()) + x;
  return config_.output_scale == 1 ? sum : sum / config_.output_scale;
}

}  // namespace calotype
