#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Allocator.h>
#include <torch/version.h>

#include <cstddef>
#include <cstdint>

#if TORCH_VERSION_MAJOR >= 2
#include <ATen/ops/scaled_dot_product_attention.h>
#endif

// What differs between the versions of LibTorch that we build with (1.13 and
// 2.x).
namespace calotype {

/// What MemoryReportingInfoBase counts totals in.
#if TORCH_VERSION_MAJOR >= 2
using MemoryTotal = size_t;
#else
using MemoryTotal = int64_t;
#endif

inline constexpr bool kHasFusedAttention = TORCH_VERSION_MAJOR >= 2;

/// LibTorch's own softmax(q k^T / sqrt(d)) v of [N,heads,L,d], which does not
/// keep the scores; undefined where it has none (kHasFusedAttention).
inline at::Tensor fused_attention([[maybe_unused]] const at::Tensor& q,
                                  [[maybe_unused]] const at::Tensor& k,
                                  [[maybe_unused]] const at::Tensor& v) {
#if TORCH_VERSION_MAJOR >= 2
  return at::scaled_dot_product_attention(q, k, v);
#else
  return {};
#endif
}

}  // namespace calotype
