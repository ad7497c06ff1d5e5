#pragma once

#include <ATen/core/Tensor.h>

namespace calotype {

/// softmax(q k^T / sqrt(d)) v for [N,heads,L,d] tensors (arXiv:1706.03762,
/// section 3.2.1). Rows of q are taken in blocks, so that the matrix of scores
/// never exceeds 256 MiB.
at::Tensor scaled_dot_product(const at::Tensor& q, const at::Tensor& k,
                              const at::Tensor& v);

/// Tokens [N,L,W] -> [N,heads,L,W/heads], a view.
at::Tensor split_heads(const at::Tensor& tokens, int64_t num_heads);

/// [N,heads,L,d] -> tokens [N,L,heads*d].
at::Tensor merge_heads(const at::Tensor& heads);

}  // namespace calotype
