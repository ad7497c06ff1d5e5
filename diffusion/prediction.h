#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "diffusion/schedule.h"

namespace calotype {

/// What a network's output says about a noisy sample.
struct Prediction {
  at::Tensor x0;       // the sample without its noise
  at::Tensor epsilon;  // the noise
};

/// Reads `output` of a network of type `prediction_type` (epsilon, sample or
/// v_prediction) at `sample` = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar)
/// epsilon. Throws ConfigError for epsilon where alpha_bar is 0: pure noise
/// says nothing about x_0 (arXiv:2305.08891, section 3.1).
Prediction read_prediction(const std::string& prediction_type,
                           const at::Tensor& output, const at::Tensor& sample,
                           float alpha_bar);

/// What a network of type `prediction_type` should answer: [N, ...] of `x0` and
/// `noise` [N, ...] at the timesteps `t`, int64 [N].
at::Tensor prediction_target(const std::string& prediction_type,
                             const NoiseSchedule& schedule,
                             const at::Tensor& x0, const at::Tensor& noise,
                             const at::Tensor& t);

/// Bounds the estimate `x0` [N, ...] as `config` says: by dynamic thresholding,
/// which clips each sample to a quantile s of its own magnitudes and divides by
/// s (Saharia et al., arXiv:2205.11487, section 2.3), by clipping to a fixed
/// range, or not.
at::Tensor bound_x0(const at::Tensor& x0, const ScheduleConfig& config);

}  // namespace calotype
