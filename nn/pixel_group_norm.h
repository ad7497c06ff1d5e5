#pragma once

#include <ATen/core/Tensor.h>

#include "nn/group_norm_call.h"

// Group normalisation on the CPU where the channels of a pixel lie together
// (at::MemoryFormat::ChannelsLast), by group_norm_pixels.h. The pixels of a
// sample are summed in runs whose size the shape decides, which threads share
// also within a group; answers have the same bits on any number of them.
namespace calotype {

/// x [N,C,H,W] float in that layout, as is the answer; without gradients.
at::Tensor normalise_pixels(const at::Tensor& x, const GroupNormCall& call);

/// x [N,C,H,W] bfloat16; the answer is so too and lies in that layout.
/// Statistics and sums of gradients are in double.
at::Tensor normalise_bf16_pixels(const at::Tensor& x,
                                 const GroupNormCall& call);

}  // namespace calotype
