#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

// Averages of the weights whose memory is a share of the training so far, and
// how one of any length is put together afterwards (EDM2, arXiv:2312.02696,
// section 3 and appendix C). The average after t steps weighs what the weights
// were at tau in proportion to tau^gamma, tau in [0,t].
namespace calotype {

/// Lengths that can be asked for. The longest is just below that of gamma 0,
/// the plain mean of all steps: 1 / sqrt(12).
constexpr double kShortestAverage = 0.005, kLongestAverage = 0.28;

/// gamma of the profile whose standard deviation is `length` (the paper's
/// sigma_rel) times the training so far: the positive root of
/// gamma + 1 = length^2 (gamma + 2)^2 (gamma + 3). Throws ConfigError unless
/// `length` is in [kShortestAverage, kLongestAverage].
double power_exponent(double length);

/// The inverse, for gamma >= 0.
double power_length(double exponent);

/// What the new weights add to the average in step `step` >= 1:
/// 1 - (1 - 1 / step)^(gamma + 1). The sum over the steps is then the profile's
/// integral, exactly, and nothing is left of what was before the first step.
double power_share(double exponent, int64_t step);

/// An average of `length` over the first `step` steps.
struct AverageProfile {
  double length;
  int64_t step;
};

struct ProfileFit {
  std::vector<double> shares;  // of each snapshot; they add up to 1
  double error = 0;            // of the profile, relative to its own L2 norm
};

/// Snapshots out of which averages of other lengths are put together: the
/// combination whose profile is nearest (least squares over the steps) among
/// those whose shares add up to 1, which leave alone what never changes.
class ProfileBasis {
 public:
  /// Averages are wanted as they are after `step` steps; at least one snapshot,
  /// none of them later. Throws ShapeError otherwise.
  ProfileBasis(const std::vector<AverageProfile>& snapshots, int64_t step);

  /// Throws ConfigError for a length that power_exponent does not take.
  ProfileFit fit(double length) const;

 private:
  struct Power {
    double exponent;
    double end;  // share of `step`
  };

  static double inner_product(const Power& a, const Power& b);
  at::Tensor solve(const at::Tensor& right) const;

  std::vector<Power> powers_;
  at::Tensor gram_;             // [n,n] fp64, inner products
  at::Tensor norm_;             // [n]
  at::Tensor vectors_, scale_;  // [n,n] and [n], of the normalised gram's
                                // inverse
};

}  // namespace calotype
