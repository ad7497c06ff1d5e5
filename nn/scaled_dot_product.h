#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace calotype {

/// softmax(q k^T / sqrt(d)) v for [N,heads,L,d] tensors (arXiv:1706.03762,
/// section 3.2.1); k and v may have another L than q. By LibTorch's fused
/// kernel where it has one (2.x), otherwise by bounded_attention.
at::Tensor scaled_dot_product(const at::Tensor& q, const at::Tensor& k,
                              const at::Tensor& v);

/// What the scores may take: the fastest and the smallest of 2 to 128 MiB on
/// two cores, 256 and 4096 tokens.
inline constexpr int64_t kMaxScoreBytes = int64_t{8} << 20;

/// The same formula by our own means. Where the scores and their softmax would
/// take more than `max_bytes`, it goes through them in blocks of rows, and
/// keeps none for the gradient: the way back computes each block anew from q
/// and k (arXiv:2112.05682, section 3; arXiv:2205.14135, appendix B.2). A block
/// is never less than one row. Gradients of gradients keep all scores.
at::Tensor bounded_attention(const at::Tensor& q, const at::Tensor& k,
                             const at::Tensor& v,
                             int64_t max_bytes = kMaxScoreBytes);

/// Tokens [N,L,W] -> [N,heads,L,W/heads], a view.
at::Tensor split_heads(const at::Tensor& tokens, int64_t num_heads);

/// [N,heads,L,d] -> tokens [N,L,heads*d].
at::Tensor merge_heads(const at::Tensor& heads);

}  // namespace calotype
