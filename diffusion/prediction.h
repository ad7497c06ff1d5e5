#pragma once

#include <ATen/core/Tensor.h>

#include "diffusion/mixture.h"
#include "diffusion/schedule.h"

// What networks are shown of noisy samples, and what their answers mean. In all
// of it `prediction_type` of the configuration is one of
//   epsilon           the noise (DDPM, arXiv:2006.11239, section 3.2)
//   sample            x_0
//   v_prediction      sqrt(alpha_bar) epsilon - sqrt(1 - alpha_bar) x_0
//                     (arXiv:2202.00512, section 4 and appendix D)
//   flow_prediction   epsilon - x_0 (rectified flow, arXiv:2209.03003)
//   edm               F of x_0 = c_skip x + c_out F (EDM, arXiv:2206.00364,
//                     equation 7 and table 1)
namespace calotype {

/// The noise levels of a batch, on the CPU.
struct DrawnLevels {
  at::Tensor signal, noise;  // float [N], of x = signal x_0 + noise epsilon
  at::Tensor timestep;       // float [N], as the network is told
  at::Tensor t;  // int64 [N], where levels are counted; else undefined
};

/// Values [N] shaped and placed to multiply something like `like` [N, ...].
at::Tensor per_sample(const at::Tensor& values, const at::Tensor& like);

/// The factor that turns a state into what the network is shown: of unit
/// variance, or on the straight path of a flow.
double input_scale(const ScheduleConfig& config, const Mixture& mixture);

/// x_0 as `output` tells it at `state`, both [N, ...], before any bound.
at::Tensor predicted_x0(const ScheduleConfig& config, const at::Tensor& output,
                        const at::Tensor& state, const Mixture& mixture);

/// What the network is shown of `x0` and `noise` [N, ...] at `levels`, and what
/// it should answer.
at::Tensor training_input(const ScheduleConfig& config, const at::Tensor& x0,
                          const at::Tensor& noise, const DrawnLevels& levels);
at::Tensor prediction_target(const ScheduleConfig& config, const at::Tensor& x0,
                             const at::Tensor& noise,
                             const DrawnLevels& levels);

/// By how much an error of the answer is larger, squared, than the error of
/// x_0 that it means: float [N].
at::Tensor squared_error_ratio(const ScheduleConfig& config,
                               const DrawnLevels& levels);

/// Bounds the estimate `x0` [N, ...] as `config` says: by dynamic thresholding,
/// which clips each sample to a quantile s of its own magnitudes and divides by
/// s (Saharia et al., arXiv:2205.11487, section 2.3), by clipping to a fixed
/// range, or not.
at::Tensor bound_x0(const at::Tensor& x0, const ScheduleConfig& config);

}  // namespace calotype
