#include "diffusion/unipc.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

namespace calotype {

at::Tensor UniPcSampler::walk(int64_t from, const at::Tensor& state,
                              const at::Tensor& x0, const at::Tensor& before,
                              const at::Tensor& arrived) const {
  const auto a = level(from), b = level(from + 1);
  const double width = b.log_snr() - a.log_snr();  // h, infinite at the end
  const double growth = std::expm1(-width);        // e^-h - 1
  auto next = (b.noise / a.noise) * state - (b.signal * growth) * x0;
  double ratio = 0;  // of the step before to this one, negative
  at::Tensor slope;  // of x_0, by the step before
  if (before.defined()) {
    ratio = (level(from - 1).log_snr() - a.log_snr()) / width;
    slope = (before - x0) / ratio;
  }
  at::Tensor change;
  if (!arrived.defined()) {
    if (slope.defined()) change = 0.5 * slope;
  } else if (!slope.defined()) {
    change = 0.5 * (arrived - x0);
  } else {
    // The weights of both differences, from conditions of first and second
    // order (equation 10): w1 + w2 = phi_2 / B, ratio w1 + w2 = phi_3 / B.
    const double phi2 = growth / -width - 1;  // h phi_2 with h -> -h
    const double phi3 = phi2 / -width - 0.5;
    const double first = phi2 / growth, second = 2 * phi3 / growth;
    const double w1 = (first - second) / (1 - ratio);
    change = w1 * slope + (first - w1) * (arrived - x0);
  }
  return change.defined() ? next - (b.signal * growth) * change : next;
}

at::Tensor UniPcSampler::step(const at::Tensor& output, const at::Tensor& state,
                              int64_t index, const NoiseSource&) {
  const auto x0 = estimate(output, state, index);
  auto corrected = state;
  if (last_x0_.defined()) {
    corrected = walk(index - 1, last_state_, last_x0_,
                     last_order_ > 1 ? x0_before_ : at::Tensor(), x0);
    // What was done to the state in between (inpainting) stays.
    if (!state.is_same(last_next_)) corrected = corrected + state - last_next_;
  }
  // Orders rise at the beginning and fall at the end, where there is nothing
  // behind or ahead.
  const auto order =
      std::min({config_.solver_order, ++num_answers_, num_questions() - index});
  const auto next = walk(index, corrected, x0,
                         order > 1 ? last_x0_ : at::Tensor(), at::Tensor());
  x0_before_ = last_x0_;
  last_x0_ = x0;
  last_state_ = corrected;
  last_order_ = order;
  last_next_ = next;
  return next;
}

}  // namespace calotype
