#include "diffusion/unipc.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

#include "diffusion/prediction.h"

namespace calotype {

UniPcSampler::UniPcSampler(const ScheduleConfig& config, int64_t num_steps)
    : config_(config),
      levels_(noise_levels(config, num_steps, /*whole=*/true)) {
  timesteps_ = levels_.timesteps;
}

at::Tensor UniPcSampler::walk(int64_t from, int64_t to,
                              const at::Tensor& sample, const at::Tensor& x0,
                              const at::Tensor& before,
                              const at::Tensor& arrived) const {
  const auto a = mixture(levels_.sigmas[size_t(from)]),
             b = mixture(levels_.sigmas[size_t(to)]);
  const double width = b.log_snr - a.log_snr;  // h, infinite at the end
  const double growth = std::expm1(-width);    // e^-h - 1, of either sign
  auto next = b.noise / a.noise * sample - b.signal * growth * x0;
  at::Tensor change;
  const auto add = [&](const at::Tensor& part) {
    change = change.defined() ? change + part : part;
  };
  double ratio = 0;  // of the step before to this one, negative
  at::Tensor slope;  // of x_0, by the step before
  if (before.defined()) {
    ratio =
        (mixture(levels_.sigmas[size_t(from) - 1]).log_snr - a.log_snr) / width;
    slope = (before - x0) / ratio;
  }
  if (!arrived.defined()) {
    if (slope.defined()) add(0.5 * slope);
  } else if (!slope.defined()) {
    add(0.5 * (arrived - x0));
  } else {
    // The weights of both differences, from conditions of first and second
    // order (equation 10): w1 + w2 = phi_2 / B, ratio w1 + w2 = phi_3 / B.
    const double phi2 = growth / -width - 1;  // h phi_2 with h -> -h
    const double phi3 = phi2 / -width - 0.5;
    const double first = phi2 / growth, second = 2 * phi3 / growth;
    const double w1 = (first - second) / (1 - ratio);
    add(w1 * slope);
    add((first - w1) * (arrived - x0));
  }
  if (change.defined()) next = next - b.signal * growth * change;
  return next;
}

at::Tensor UniPcSampler::step(const at::Tensor& output,
                              const at::Tensor& sample, int64_t step_index,
                              const NoiseSource&) {
  const double signal = mixture(levels_.sigmas[size_t(step_index)]).signal;
  const auto x0 = bound_x0(read_prediction(config_.prediction_type, output,
                                           sample, float(signal * signal))
                               .x0,
                           config_);
  auto corrected = sample;
  if (step_index > 0)
    corrected = walk(step_index - 1, step_index, last_sample_, last_x0_,
                     last_order_ > 1 ? x0_before_ : at::Tensor(), x0);
  // Orders rise at the beginning and fall at the end, where there is nothing
  // behind or ahead.
  const auto order = std::min(
      {config_.solver_order, step_index + 1, num_steps() - step_index});
  const auto next = walk(step_index, step_index + 1, corrected, x0,
                         order > 1 ? last_x0_ : at::Tensor(), at::Tensor());
  x0_before_ = last_x0_;
  last_x0_ = x0;
  last_sample_ = corrected;
  last_order_ = order;
  return next;
}

}  // namespace calotype
