#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <cstdint>

#include "nn/batch_invariant.h"
#include "nn/rms_norm.h"
#include "nn/rotary.h"
#include "nn/swiglu.h"

namespace calotype {

struct CalotypeDiTBlockConfig {
  int64_t width = 0;       // W, channels of a token
  int64_t num_heads = 1;   // divides the width
  int64_t mlp_hidden = 0;  // H, channels of each half of SwiGLU
  double norm_eps = 1e-6;
};

/// Attention and a gated MLP, each scaled and shifted before and gated after by
/// a condition (adaLN-Zero, arXiv:2212.09748, section 3.2). Norms are RMS;
/// queries and keys are normalised per head (arXiv:2302.05442, section 2.1),
/// then turned by their place. Named modulation, attention.{qkv,q_norm,k_norm,
/// out}, mlp.{in,out}.
class CalotypeDiTBlockImpl : public torch::nn::Module {
 public:
  /// A new block is the identity.
  explicit CalotypeDiTBlockImpl(const CalotypeDiTBlockConfig& config);

  /// `x`: tokens [N,L,W]; `condition`: [N,W], activated already; `places`: of
  /// the L tokens. Returns [N,L,W].
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& condition,
                        const RotaryTable& places);

 private:
  torch::Tensor attend(const torch::Tensor& x, const RotaryTable& places);

  CalotypeDiTBlockConfig config_;
  Linear modulation_{nullptr}, qkv_{nullptr}, out_{nullptr};
  RmsNorm q_norm_{nullptr}, k_norm_{nullptr};
  SwiGluMlp mlp_{nullptr};
};
TORCH_MODULE(CalotypeDiTBlock);

}  // namespace calotype
