#pragma once

#include <ATen/core/Tensor.h>

namespace calotype {

/// What is encoded, stored, generated and decoded: a batch of latents as a
/// diagonal Gaussian. A deterministic code has no log-variance.
struct LatentGrid {
  at::Tensor mean;    // [N,D,h,w] float
  at::Tensor logvar;  // [N,D,h,w] float, or undefined
};

}  // namespace calotype
