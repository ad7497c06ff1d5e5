#pragma once

#include <cmath>

namespace calotype {

/// How much of a state is data and how much is noise: x = signal x_0 + noise
/// epsilon with standard normal epsilon.
struct Mixture {
  double signal = 1;
  double noise = 0;

  /// Of x / signal, the noise level in EDM's terms (arXiv:2206.00364, section
  /// 2); infinite without signal.
  double sigma() const { return noise / signal; }

  /// Half of the logarithm of the signal-to-noise ratio, lambda in
  /// DPM-Solver's terms (arXiv:2206.00927, section 3.1); infinite without
  /// noise.
  double log_snr() const { return std::log(signal / noise); }
};

}  // namespace calotype
