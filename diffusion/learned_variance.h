#pragma once

#include <ATen/core/Tensor.h>

#include "diffusion/schedule.h"

// Networks that also answer how much noise a step should add, in the second
// half of their channels (improved DDPM, arXiv:2102.09672, section 3.1).
namespace calotype {

/// The logarithm of a step's variance as `answer` [N,D,h,w] tells it: between
/// `log_small`, the posterior's, at -1 and `log_large`, beta's, at 1 (equation
/// 15). Both multiply something like `answer`.
at::Tensor log_variance(const at::Tensor& answer, const at::Tensor& log_small,
                        const at::Tensor& log_large);

/// The terms of the variational bound (equations 4 to 6) in bits a dimension:
/// float [N]. `x0`, `noise`: [N,D,h,w]; `t`: int64 [N]; `output`: [N,2D,h,w],
/// whose first half is taken as it is, so that only the variance learns. The
/// last term is the density of x_0, which is continuous here.
at::Tensor variational_bits(const ScheduleConfig& config,
                            const NoiseSchedule& schedule, const at::Tensor& x0,
                            const at::Tensor& noise, const at::Tensor& t,
                            const at::Tensor& output);

}  // namespace calotype
