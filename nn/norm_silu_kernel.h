#pragma once

#include <cstdint>

// The arithmetic of norm_silu.h for one group of one sample, without LibTorch
// so that the compiler may vectorise it for the processor at hand.
namespace calotype {

/// One group: `num_channels` planes of `plane` floats, contiguous.
struct NormGroup {
  int64_t num_channels = 0;
  int64_t plane = 0;
  const float* weight = nullptr;  // [num_channels]
  const float* bias = nullptr;    // [num_channels]
};

/// out = silu(norm(in)); returns mean and 1/std in the two last arguments.
void norm_silu_forward(const NormGroup& group, const float* in, float* out,
                       float eps, float* mean, float* inverse_std);

/// Gradient for `in`, written to `grad_in`; adds to the gradients of weight and
/// bias.
void norm_silu_backward(const NormGroup& group, const float* in,
                        const float* grad_out, float mean, float inverse_std,
                        float* grad_in, float* grad_weight, float* grad_bias);

}  // namespace calotype
