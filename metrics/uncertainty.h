#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

// How far a number that was measured on some images may be from what more of
// them would give.
namespace calotype {

/// Holds the true value in 95 of 100 such measurements.
struct Interval {
  double low = 0, high = 0;

  bool operator==(const Interval&) const = default;
};

/// The percentile bootstrap of means (Efron and Tibshirani, "An Introduction to
/// the Bootstrap", 1993, section 13.3): rows are drawn again with replacement,
/// 1,000 times, all columns of a row together. A function of (values in their
/// order, seed) alone. `values`: [N,M] double, a row for each image. Returns an
/// interval for each column. Throws ConfigError for no rows.
std::vector<Interval> bootstrap_means(const at::Tensor& values, uint64_t seed);

/// Of fewer images there is no interval: they cannot tell how far they scatter.
inline constexpr int64_t kFewestForInterval = 5;

/// The interval of a share that `count` images have given (Wilson, Journal of
/// the American Statistical Association 22, 1927): not of width 0 where all or
/// none of them agree. `share` in [0,1], `count` at least 1.
Interval share_interval(double share, int64_t count);

/// The interval of a smooth statistic of a set from `left_out`, its values with
/// each of GroupedMoments::kGroups groups left out (the delete-a-group
/// jackknife; Shao and Tu, "The Jackknife and Bootstrap", 1995, section 2.3):
/// `estimate` and 2.262 standard errors on either side, Student's t of 9
/// degrees of freedom. For statistics that drawing images twice would bias, as
/// it does the Fréchet distance and all that looks for neighbours.
Interval jackknife(double estimate, const std::vector<double>& left_out);

}  // namespace calotype
