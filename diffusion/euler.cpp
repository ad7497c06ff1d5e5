#include "diffusion/euler.h"

#include <cmath>

namespace calotype {

at::Tensor EulerSampler::step(const at::Tensor& output,
                              const at::Tensor& sample, int64_t step_index,
                              const NoiseSource&) {
  const double from = sigma(step_index), to = sigma(step_index + 1);
  const auto slope = (sample - denoised(output, sample, from)) / from;
  return sample + slope * (to - from);
}

at::Tensor EulerAncestralSampler::step(const at::Tensor& output,
                                       const at::Tensor& sample,
                                       int64_t step_index,
                                       const NoiseSource& noise) {
  const double from = sigma(step_index), to = sigma(step_index + 1);
  const double fresh = to / from * std::sqrt(from * from - to * to);
  const double kept = std::sqrt(to * to - fresh * fresh);
  const auto slope = (sample - denoised(output, sample, from)) / from;
  const auto mean = sample + slope * (kept - from);
  return to > 0 ? mean + fresh * noise(step_index) : mean;
}

}  // namespace calotype
