#pragma once

#include <ATen/core/Tensor.h>

#include "metrics/moments.h"

namespace calotype {

/// One side of a Fréchet distance, prepared once for many others.
///
/// With C1 = A A^T of its eigenvectors, (C1 C2)^(1/2) has the trace of the
/// symmetric (A^T C2 A)^(1/2), of which eigenvalues suffice: real, and clamped
/// at 0. Directions of C1 whose variance is below F * 2^-52 of the largest
/// (fewer rows than features, features that repeat each other) are rounding and
/// left out, so that singular covariances give finite distances whose error is
/// near 1e-12 of the variances' sum: that is also how near 0 the distance of a
/// set to itself is.
class FrechetReference {
 public:
  /// Throws ConfigError for fewer than 2 rows. Time O(F^3).
  explicit FrechetReference(const Moments& reference);

  /// Not negative. Throws ShapeError for another width, ConfigError for fewer
  /// than 2 rows. Time O(F^3), less than half of that of the constructor.
  double distance(const Moments& other) const;

 private:
  at::Tensor mean_;    // [F]
  at::Tensor factor_;  // A, [F,r]
  double variance_;    // trace of C1
};

/// The Fréchet distance of the Gaussians with these moments,
/// |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Dowson and Landau, Journal of
/// Multivariate Analysis 12, 1982; arXiv:1706.08500, equation 6).
double frechet_distance(const Moments& a, const Moments& b);

}  // namespace calotype
