#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "nn/group_norm.h"

namespace calotype {

/// The activations that diffusers' act_fn names, and those of classical
/// autoencoders.
enum class Activation { kSilu, kMish, kGelu, kRelu, kTanh, kSigmoid, kNone };

/// silu (or swish), mish, gelu, relu, tanh, sigmoid, none. Throws ConfigError,
/// which calls the setting `key`.
Activation parse_activation(const std::string& name,
                            const char* key = "act_fn");

at::Tensor activate(Activation activation, const at::Tensor& x);

/// activate(norm(x)), in one operation where we have a kernel for it
/// (group_norm.h).
at::Tensor norm_activate(GroupNorm& norm, Activation activation,
                         const at::Tensor& x);

}  // namespace calotype
