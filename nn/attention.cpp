#include "nn/attention.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/error.h"
#include "nn/resnet_block.h"

namespace calotype {
namespace {

constexpr int64_t kMaxScores = int64_t{64}
                               << 20;  // floats of one block: 256 MiB

}  // namespace

torch::Tensor scaled_dot_product(const torch::Tensor& q, const torch::Tensor& k,
                                 const torch::Tensor& v) {
  const auto keys = (k / std::sqrt(double(q.size(3)))).transpose(2, 3);
  const auto attend = [&](const torch::Tensor& rows) {
    return rows.matmul(keys).softmax(-1).matmul(v);
  };
  const int64_t length = q.size(2);
  const int64_t scores_per_row = q.size(0) * q.size(1) * k.size(2);
  const int64_t block =
      std::max<int64_t>(1, kMaxScores / std::max<int64_t>(scores_per_row, 1));
  if (block >= length) return attend(q);
  std::vector<torch::Tensor> parts;
  for (int64_t at = 0; at < length; at += block)
    parts.push_back(attend(q.narrow(2, at, std::min(block, length - at))));
  return torch::cat(parts, 2);
}

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
  to_q_ = register_module("to_q", torch::nn::Linear(channels, channels));
  to_k_ = register_module("to_k", torch::nn::Linear(channels, channels));
  to_v_ = register_module("to_v", torch::nn::Linear(channels, channels));
  to_out_ = register_module(
      "to_out", torch::nn::ModuleList(torch::nn::Linear(channels, channels)));
}

torch::Tensor AttentionImpl::forward(const torch::Tensor& x,
                                     const torch::Tensor& condition) {
  check_shape("Attention", "x", x, {-1, config_.channels, -1, -1});
  const auto normed = spatial_norm_ ? spatial_norm_(x, condition)
                      : group_norm_ ? group_norm_(x)
                                    : x;
  const auto rows = normed.flatten(2).transpose(1, 2);  // [N,H*W,C]
  const auto heads = [&](torch::nn::Linear& projection) {
    return projection(rows)
        .view({x.size(0), -1, num_heads_, config_.channels / num_heads_})
        .transpose(1, 2);  // [N,heads,H*W,d]
  };
  const auto mixed =
      scaled_dot_product(heads(to_q_), heads(to_k_), heads(to_v_))
          .transpose(1, 2)
          .reshape({x.size(0), -1, config_.channels});
  const auto out = to_out_[0]->as<torch::nn::Linear>()->forward(mixed);
  const auto sum = out.transpose(1, 2).reshape(x.sizes()) + x;
  return config_.output_scale == 1 ? sum : sum / config_.output_scale;
}

}  // namespace calotype
