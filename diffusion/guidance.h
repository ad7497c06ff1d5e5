#pragma once

#include <ATen/core/Tensor.h>

#include "diffusion/denoiser.h"

namespace calotype {

/// Labels as a network of `num_classes` takes them: int64 [N], -1 ("no label")
/// replaced by the null class; undefined if num_classes is 0. Throws
/// ConfigError for labels outside [-1, num_classes).
at::Tensor with_null_class(const at::Tensor& labels, int64_t num_classes);

/// Classifier-free guidance (Ho and Salimans, arXiv:2207.12598, section 3.2):
/// uncond + scale * (cond - uncond), both answers from one batch of 2N. The
/// paper's w is scale - 1. Scale 1 asks for the labels alone and 0 for none:
/// one pass of N. `sample`: [N,D,h,w]; `timestep`: float [N]; `labels`: int64
/// [N] in [-1, classes). Throws ConfigError for another scale if the network
/// knows no classes.
at::Tensor guided_forward(Denoiser& denoiser, const at::Tensor& sample,
                          const at::Tensor& timestep, const at::Tensor& labels,
                          double scale);

}  // namespace calotype
