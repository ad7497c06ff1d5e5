#include "denoisers/calotype_dit_block.h"

#include <memory>

#include <torch/types.h>

#include "core/check.h"
#include "denoisers/adaptive_norm.h"
#include "nn/scaled_dot_product.h"

namespace calotype {

CalotypeDiTBlockImpl::CalotypeDiTBlockImpl(const CalotypeDiTBlockConfig& config)
    : config_(config) {
  const auto W = config.width, d = W / config.num_heads;
  const auto map = [](int64_t in, int64_t out) {
    return Linear(torch::nn::LinearOptions(in, out).bias(false));
  };
  modulation_ = register_module("modulation", Linear(W, 6 * W));
  const auto attention =
      register_module("attention", std::make_shared<torch::nn::Module>());
  qkv_ = attention->register_module("qkv", map(W, 3 * W));
  q_norm_ = attention->register_module("q_norm", RmsNorm(d, config.norm_eps));
  k_norm_ = attention->register_module("k_norm", RmsNorm(d, config.norm_eps));
  out_ = attention->register_module("out", map(W, W));
  mlp_ = register_module("mlp", SwiGluMlp(W, config.mlp_hidden));
  init_linear_maps(*this);
  init_zero(modulation_);
}

torch::Tensor CalotypeDiTBlockImpl::attend(const torch::Tensor& x,
                                           const RotaryTable& places) {
  const auto parts = qkv_(x).chunk(3, -1);
  const auto heads = [&](const torch::Tensor& part) {
    return split_heads(part, config_.num_heads);
  };
  const auto q = rotate(q_norm_(heads(parts[0])), places);
  const auto k = rotate(k_norm_(heads(parts[1])), places);
  return out_(merge_heads(scaled_dot_product(q, k, heads(parts[2]))));
}

torch::Tensor CalotypeDiTBlockImpl::forward(const torch::Tensor& x,
                                            const torch::Tensor& condition,
                                            const RotaryTable& places) {
  check_shape("CalotypeDiTBlock", "x", x, {-1, -1, config_.width});
  const auto m = modulation_(condition).chunk(6, 1);
  const auto attended =
      attend(modulate(rms_norm(x, config_.norm_eps), m[0], m[1]), places);
  const auto h = torch::addcmul(x, m[2].unsqueeze(1), attended);
  const auto inner = modulate(rms_norm(h, config_.norm_eps), m[3], m[4]);
  return torch::addcmul(h, m[5].unsqueeze(1), mlp_(inner));
}

}  // namespace calotype
