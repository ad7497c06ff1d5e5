#pragma once

#include <cstdint>

#include "nn/bfloat16.h"
#include "nn/group_norm_arithmetic.h"

// The arithmetic of group_norm.h where the channels of a pixel lie together
// (channels-last), in floats or bfloat16, for a run of pixels of one sample.
// Sums are in double and belong to a run; who adds up the runs in one order has
// the same bits on any number of threads.
namespace calotype {

struct NormChannels {
  int64_t groups = 0, channels = 0;
  const float* weight = nullptr;  // [channels]
  const float* bias = nullptr;    // [channels]

  int64_t per_group() const { return channels / groups; }
};

/// Of du and du n for each channel in a run (see backward_pixels).
struct GradientSums {
  double du = 0, du_n = 0;
};

/// `in` [pixels,channels], `origin` [groups]: any number of the group, the same
/// for all runs. `sums`: [groups], written.
void sum_pixels(const NormChannels& shape, const float* in, int64_t pixels,
                const float* origin, GroupSums* sums);
void sum_pixels(const NormChannels& shape, const Bfloat16* in, int64_t pixels,
                const float* origin, GroupSums* sums);

/// out = norm(in), or silu of that; `statistics`: [groups].
void normalise_pixels(const NormChannels& shape, bool silu, const float* in,
                      int64_t pixels, const GroupStatistics* statistics,
                      float* out);
void normalise_pixels(const NormChannels& shape, bool silu, const Bfloat16* in,
                      int64_t pixels, const GroupStatistics* statistics,
                      Bfloat16* out);

/// The first of two passes back: `sums` [channels], written. Gradients in float
/// are computed with channels apart (group_norm_kernel.h).
void sum_gradients(const NormChannels& shape, bool silu, const Bfloat16* in,
                   const Bfloat16* grad_out, int64_t pixels,
                   const GroupStatistics* statistics, GradientSums* sums);

/// The second: `means` [groups], of w du and w du n over the group.
void backward_pixels(const NormChannels& shape, bool silu, const Bfloat16* in,
                     const Bfloat16* grad_out, int64_t pixels,
                     const GroupStatistics* statistics,
                     const GradientSums* means, Bfloat16* grad_in);

}  // namespace calotype
