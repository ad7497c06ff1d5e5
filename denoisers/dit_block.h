#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <string>

#include "denoisers/time_class_embedding.h"
#include "nn/batch_invariant.h"
#include "nn/layer_norm.h"

namespace calotype {

struct DiTBlockConfig {
  int64_t width = 0;       // W, channels of a token
  int64_t num_heads = 1;   // divides the width
  int64_t class_rows = 1;  // of the class embedding, the null class included
  bool attention_bias = true;  // of the maps to queries, keys and values
  std::string activation_fn = "gelu-approximate";
  double dropout = 0;
  bool norm_elementwise_affine = false;  // of the norm before the MLP
  double norm_eps = 1e-5;                // likewise
  double freq_shift = 1;                 // of the time's embedding
};

/// Throws ConfigError unless `name` is an activation that diffusers'
/// FeedForward knows: gelu, gelu-approximate, geglu, geglu-approximate, swiglu,
/// linear-silu.
void check_feed_forward(const char* where, const std::string& name);

/// Linear, activation, linear, the first to 4 W channels: diffusers'
/// FeedForward, named net.0.proj and net.2. The names that end in "glu" gate
/// one half of a doubled first map by the other (arXiv:2002.05202).
class FeedForwardImpl : public torch::nn::Module {
 public:
  FeedForwardImpl(int64_t width, const std::string& activation, double dropout);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  std::string activation_;
  double dropout_;
  Linear proj_{nullptr}, out_{nullptr};
};
TORCH_MODULE(FeedForward);

/// The block with adaLN-Zero of DiT (arXiv:2212.09748, section 3.2): attention
/// and an MLP, each scaled and shifted before and gated after by the condition.
/// diffusers' BasicTransformerBlock with "ada_norm_zero": norm1.emb,
/// norm1.linear, attn1.to_{q,k,v}, attn1.to_out.0, [norm3,] ff.net.
class DiTBlockImpl : public torch::nn::Module {
 public:
  /// First values: DiT's, so that a new block is the identity.
  explicit DiTBlockImpl(const DiTBlockConfig& config);

  /// `x`: tokens [N,L,W]; `timestep` and `class_labels`: [N], as
  /// TimeClassEmbedding takes them. Returns [N,L,W].
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& timestep,
                        const torch::Tensor& class_labels);

  /// The embedding of this block, [N,W].
  torch::Tensor embed(const torch::Tensor& timestep,
                      const torch::Tensor& class_labels);

 private:
  torch::Tensor attend(const torch::Tensor& x);

  DiTBlockConfig config_;
  TimeClassEmbedding emb_{nullptr};
  Linear modulation_{nullptr};
  Linear to_q_{nullptr}, to_k_{nullptr}, to_v_{nullptr};
  torch::nn::ModuleList to_out_;
  LayerNorm norm3_{nullptr};
  FeedForward ff_{nullptr};
};
TORCH_MODULE(DiTBlock);

}  // namespace calotype
