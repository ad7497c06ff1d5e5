#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "nn/batch_invariant.h"
#include "nn/layer_norm.h"

namespace calotype {

struct TransformerBlockConfig {
  int64_t width = 64;     // W, channels of a token
  int64_t num_heads = 4;  // divides the width
  int64_t mlp_ratio = 4;  // hidden width of the two linear layers / W

  void validate() const;  // throws ConfigError
};

/// x + attention(norm1(x)), then x + mlp(norm2(x)): the pre-norm block of the
/// vision transformer (arXiv:2010.11929, section 3.1, equations 2 and 3). Its
/// parameters have the names of timm's: norm1, attn.qkv, attn.proj, norm2,
/// mlp.fc1, mlp.fc2.
class TransformerBlockImpl : public torch::nn::Module {
 public:
  explicit TransformerBlockImpl(const TransformerBlockConfig& config);

  /// `x`: tokens [N,L,W]. Returns the same shape.
  torch::Tensor forward(const torch::Tensor& x);

 private:
  TransformerBlockConfig config_;
  LayerNorm norm1_{nullptr}, norm2_{nullptr};
  Linear qkv_{nullptr}, proj_{nullptr}, fc1_{nullptr}, fc2_{nullptr};
};
TORCH_MODULE(TransformerBlock);

/// The layer norm of a transformer of this width, epsilon 1e-6.
LayerNorm transformer_norm(int64_t width);

/// Fixed positions of an h x w grid of tokens, [h*w, width]: sines and cosines
/// of the column in the first half of the channels, of the row in the second
/// (arXiv:1706.03762, section 3.5, once per axis). `width` is a multiple of 4.
/// With `base` both edges are stretched to span as much as `base` tokens do.
torch::Tensor grid_positions(int64_t width, int64_t h, int64_t w,
                             int64_t base = 0);

}  // namespace calotype
