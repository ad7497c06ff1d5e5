#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/modules/normalization.h>

namespace calotype {

/// silu(norm(x)) in one pass over memory instead of two, and its gradient in
/// one instead of four (Wu and He, "Group Normalization", arXiv:1803.08494,
/// section 3; SiLU: arXiv:1702.03118, section 2.1). `x`: [N,C,...]. CPU and
/// float tensors take our kernel, all others LibTorch's two operations.
at::Tensor norm_silu(torch::nn::GroupNorm& norm, const at::Tensor& x);

}  // namespace calotype
