#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace calotype {

/// The gradients of `out` for those of `inputs` that take one, undefined for
/// the rest; they have gradients themselves. `grad`: as `out`. For functions
/// whose own way back has none: they compute `out` anew by LibTorch's
/// operations where somebody asks for a gradient's gradient (create_graph).
std::vector<at::Tensor> differentiable_gradients(
    const at::Tensor& out, const std::vector<at::Tensor>& inputs,
    const at::Tensor& grad);

}  // namespace calotype
