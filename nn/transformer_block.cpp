#include "nn/transformer_block.h"

#include <memory>

#include <fmt/format.h>
#include <torch/nn/modules/normalization.h>
#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"
#include "nn/activation.h"
#include "nn/scaled_dot_product.h"

namespace calotype {
namespace {

/// [count, width]: width/2 sines, then as many cosines, of frequencies from 1
/// down to 1/10000.
torch::Tensor line_positions(int64_t width, const torch::Tensor& at) {
  const auto half = width / 2;
  const auto frequency =
      torch::pow(10000.0, torch::arange(half, torch::kDouble) / -double(half));
  const auto angle = at.to(torch::kDouble).unsqueeze(1) * frequency;
  return torch::cat({angle.sin(), angle.cos()}, 1);
}

}  // namespace

void TransformerBlockConfig::validate() const {
  check_range("transformer", "width", double(width), 4, 1 << 16);
  check_range("transformer", "num_heads", double(num_heads), 1, 1024);
  check_range("transformer", "mlp_ratio", double(mlp_ratio), 1, 64);
  if (width % num_heads != 0)
    throw ConfigError(
        fmt::format("transformer: num_heads must divide the width, got {} "
                    "heads of width {}",
                    num_heads, width));
}

TransformerBlockImpl::TransformerBlockImpl(const TransformerBlockConfig& config)
    : config_(config) {
  config.validate();
  const auto width = config.width, hidden = config.mlp_ratio * width;
  norm1_ = register_module("norm1", transformer_norm(width));
  const auto attn =
      register_module("attn", std::make_shared<torch::nn::Module>());
  qkv_ = attn->register_module("qkv", Linear(width, 3 * width));
  proj_ = attn->register_module("proj", Linear(width, width));
  norm2_ = register_module("norm2", transformer_norm(width));
  const auto mlp =
      register_module("mlp", std::make_shared<torch::nn::Module>());
  fc1_ = mlp->register_module("fc1", Linear(width, hidden));
  fc2_ = mlp->register_module("fc2", Linear(hidden, width));
}

torch::Tensor TransformerBlockImpl::forward(const torch::Tensor& x) {
  check_shape("TransformerBlock", "x", x, {-1, -1, config_.width});
  const auto N = x.size(0), L = x.size(1), W = config_.width;
  const auto heads = config_.num_heads;
  const auto qkv = qkv_(norm1_(x))
                       .view({N, L, 3, heads, W / heads})
                       .permute({2, 0, 3, 1, 4});  // [3,N,heads,L,d]
  const auto mixed = merge_heads(scaled_dot_product(qkv[0], qkv[1], qkv[2]));
  const auto y = x + proj_(mixed);
  return y + fc2_(activate(Activation::kGelu, fc1_(norm2_(y))));
}

LayerNorm transformer_norm(int64_t width) {
  return LayerNorm(torch::nn::LayerNormOptions({width}).eps(1e-6));
}

torch::Tensor grid_positions(int64_t width, int64_t h, int64_t w,
                             int64_t base) {
  if (width % 4 != 0)
    throw ConfigError(fmt::format(
        "transformer: width must be a multiple of 4 for positions in two "
        "directions, got {}",
        width));
  const auto line = [&](int64_t count) {
    const auto at = torch::arange(count, torch::kDouble);
    return base > 0 ? at * (double(base) / double(count)) : at;
  };
  const auto row = line(h).repeat_interleave(w);
  const auto column = line(w).repeat({h});
  return torch::cat({line_positions(width / 2, column),
                     line_positions(width / 2, row)},
                    1)
      .to(torch::kFloat);
}

}  // namespace calotype
