#pragma once

#include <cstdint>

// The arithmetic of group_norm.h for one group of one sample, without LibTorch
// so that the compiler may vectorise it for the processor at hand.
namespace calotype {

/// One group: `num_channels` planes of `plane` floats, contiguous.
struct NormGroup {
  int64_t num_channels = 0;
  int64_t plane = 0;
  const float* weight = nullptr;  // [num_channels]
  const float* bias = nullptr;    // [num_channels]
};

struct GroupStatistics {
  double mean = 0;
  double inverse_std = 0;  // 1 / sqrt(variance + eps)
  bool is_flat = false;    // no number is apart but by rounding
};

/// out = norm(in), or silu of that.
GroupStatistics group_norm_forward(const NormGroup& group, bool silu,
                                   const float* in, double eps, float* out);

/// Gradients of `in` and of the group's weight and bias, all written.
void group_norm_backward(const NormGroup& group, bool silu, const float* in,
                         const float* grad_out,
                         const GroupStatistics& statistics, float* grad_in,
                         double* grad_weight, double* grad_bias);

}  // namespace calotype
