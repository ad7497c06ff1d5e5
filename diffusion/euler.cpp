#include "diffusion/euler.h"

#include <ATen/Functions.h>

#include <cmath>

namespace calotype {

at::Tensor EulerSampler::step(const at::Tensor& output, const at::Tensor& state,
                              int64_t index, const NoiseSource&) {
  const double here = sigma(index), next = sigma(index + 1);
  const auto slope = (state - estimate(output, state, index)) / here;
  return state + slope * (next - here);
}

at::Tensor EulerAncestralSampler::step(const at::Tensor& output,
                                       const at::Tensor& state, int64_t index,
                                       const NoiseSource& noise) {
  const double here = sigma(index), next = sigma(index + 1);
  const double fresh = next / here * std::sqrt(here * here - next * next);
  const double kept = std::sqrt(next * next - fresh * fresh);
  const auto slope = (state - estimate(output, state, index)) / here;
  const auto mean = state + slope * (kept - here);
  return next > 0 ? mean + fresh * noise(index) : mean;
}

}  // namespace calotype
