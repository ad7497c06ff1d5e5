#pragma once

#include <c10/core/Device.h>

#include "core/config.h"
#include "nn/precision.h"

namespace calotype {

/// Remembers, while a profile is made (core/profile.h), what networks compute
/// in.
void record_compute(const Compute& compute, c10::Device device);

/// Of what was remembered since the last call: precision, layout and library of
/// each, and the operations a second that a convolution of 256 channels or a
/// product of 1024x1024, measured now, reaches in it; `operations_per_s` of the
/// networks, if above 0, as a share of the largest.
Json kernels_used(double operations_per_s);

}  // namespace calotype
