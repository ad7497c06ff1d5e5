#include "denoisers/dit_block.h"

#include <memory>

#include <torch/nn/modules/normalization.h>
#include <torch/types.h>

#include "core/check.h"
#include "denoisers/adaptive_norm.h"
#include "nn/activation.h"
#include "nn/scaled_dot_product.h"
#include "nn/sliced.h"

namespace calotype {
namespace {

constexpr double kNorm1Eps = 1e-6;  // diffusers' AdaLayerNormZero
constexpr int64_t kMlpRatio = 4;

torch::Tensor gelu_tanh(const torch::Tensor& x) {
  return torch::gelu(x, "tanh");
}

}  // namespace

void check_feed_forward(const char* where, const std::string& name) {
  check_one_of(where, "activation_fn", name,
               {"gelu", "gelu-approximate", "geglu", "geglu-approximate",
                "swiglu", "linear-silu"});
}

FeedForwardImpl::FeedForwardImpl(int64_t width, const std::string& activation,
                                 double dropout)
    : activation_(activation), dropout_(dropout) {
  check_feed_forward("feed-forward", activation);
  const auto hidden = kMlpRatio * width;
  const bool gated = activation == "geglu" || activation == "swiglu";
  const auto net =
      register_module("net", std::make_shared<torch::nn::Module>());
  const auto first =
      net->register_module("0", std::make_shared<torch::nn::Module>());
  proj_ = first->register_module("proj",
                                 Linear(width, gated ? 2 * hidden : hidden));
  out_ = net->register_module("2", Linear(hidden, width));
}

torch::Tensor FeedForwardImpl::forward(const torch::Tensor& x) {
  auto h = proj_(x);
  if (activation_ == "gelu") {
    h = activate(Activation::kGelu, h);
  } else if (activation_ == "gelu-approximate") {
    h = invariant_map(h, gelu_tanh);
  } else if (activation_ == "geglu-approximate") {
    // Not gated, whatever its name says: x * sigmoid(1.702 x).
    h = h * activate(Activation::kSigmoid, 1.702 * h);
  } else if (activation_ == "linear-silu") {
    h = activate(Activation::kSilu, h);
  } else {
    const auto halves = h.chunk(2, -1);
    h = halves[0] *
        activate(activation_ == "geglu" ? Activation::kGelu : Activation::kSilu,
                 halves[1]);
  }
  if (dropout_ > 0) h = drop_out(h, dropout_, is_training());
  return out_(h);
}

DiTBlockImpl::DiTBlockImpl(const DiTBlockConfig& config) : config_(config) {
  const auto W = config.width;
  const auto norm1 =
      register_module("norm1", std::make_shared<torch::nn::Module>());
  emb_ = norm1->register_module(
      "emb", TimeClassEmbedding(W, config.class_rows, config.freq_shift));
  modulation_ = norm1->register_module("linear", Linear(W, 6 * W));
  const auto attn =
      register_module("attn1", std::make_shared<torch::nn::Module>());
  const auto projection = [&](const char* name) {
    return attn->register_module(
        name,
        Linear(torch::nn::LinearOptions(W, W).bias(config.attention_bias)));
  };
  to_q_ = projection("to_q");
  to_k_ = projection("to_k");
  to_v_ = projection("to_v");
  to_out_ =
      attn->register_module("to_out", torch::nn::ModuleList(Linear(W, W)));
  if (config.norm_elementwise_affine)
    norm3_ = register_module(
        "norm3",
        LayerNorm(torch::nn::LayerNormOptions({W}).eps(config.norm_eps)));
  ff_ = register_module("ff",
                        FeedForward(W, config.activation_fn, config.dropout));
  init_linear_maps(*this);
  emb_->init_values();
  init_zero(modulation_);
}

torch::Tensor DiTBlockImpl::embed(const torch::Tensor& timestep,
                                  const torch::Tensor& class_labels) {
  return emb_(timestep, class_labels);
}

torch::Tensor DiTBlockImpl::attend(const torch::Tensor& x) {
  const auto heads = [&](Linear& projection) {
    return split_heads(projection(x), config_.num_heads);
  };
  const auto mixed =
      merge_heads(scaled_dot_product(heads(to_q_), heads(to_k_), heads(to_v_)));
  const auto out = to_out_[0]->as<Linear>()->forward(mixed);
  return config_.dropout > 0 ? drop_out(out, config_.dropout, is_training())
                             : out;
}

torch::Tensor DiTBlockImpl::forward(const torch::Tensor& x,
                                    const torch::Tensor& timestep,
                                    const torch::Tensor& class_labels) {
  check_shape("DiTBlock", "x", x, {-1, -1, config_.width});
  const auto condition =
      activate(Activation::kSilu, embed(timestep, class_labels));
  const auto m = modulation_(condition).chunk(6, 1);
  const auto attended =
      attend(modulate(plain_layer_norm(x, kNorm1Eps), m[0], m[1]));
  const auto h = torch::addcmul(x, m[2].unsqueeze(1), attended);
  const auto normed =
      norm3_ ? norm3_(h) : plain_layer_norm(h, config_.norm_eps);
  return torch::addcmul(h, m[5].unsqueeze(1),
                        ff_(modulate(normed, m[3], m[4])));
}

}  // namespace calotype
