#pragma once

#include <ATen/core/Tensor.h>

#include "nn/batch_invariant.h"

namespace calotype {

/// normed * (1 + scale) + shift: how a condition changes all tokens of its
/// sample (adaptive layer norm, DiT, arXiv:2212.09748, section 3.2). `normed`:
/// [N,L,W]; `shift` and `scale`: [N,W].
at::Tensor modulate(const at::Tensor& normed, const at::Tensor& shift,
                    const at::Tensor& scale);

/// Layer normalisation over the last axis of [N,L,W], without parameters.
at::Tensor plain_layer_norm(const at::Tensor& x, double eps);

/// A transformer's first values (DiT, section 4): weights of linear maps
/// Xavier-uniform, their biases zero.
void init_linear_maps(torch::nn::Module& module);

/// Makes the map answer 0 to everything, so that what it modulates starts as
/// the identity ("adaLN-Zero", DiT, section 3.2).
void init_zero(Linear& linear);

}  // namespace calotype
