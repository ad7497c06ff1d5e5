#pragma once

#include <vector>

#include "metrics/frechet_distance.h"
#include "metrics/grouped_moments.h"

// The Fréchet distance of few images is too large, since their covariance
// scatters, and sets of different sizes do not compare.
namespace calotype {

struct FrechetAtCount {
  double count = 0;  // images, the harmonic mean of the parts that were taken
  double distance = 0;
};

/// The distance to `reference` of 1, 2, 5 and 10 groups: the mean over the 10,
/// 5, 2 and 1 parts that the set falls into, so that each value has seen every
/// image; 18 distances. Throws ConfigError if a group has fewer than 2 images.
std::vector<FrechetAtCount> frechet_by_count(const GroupedMoments& shown,
                                             const FrechetReference& reference);

/// The distance of infinitely many images: a line in 1 / count through the
/// values, by least squares, at 0 (FID-infinity, arXiv:1911.07023, section 4).
/// The bias is such a line where counts are well above the number of features;
/// with fewer images than features in a group the bias is only made smaller.
/// May be a little below 0 for alike sets. Throws ShapeError for fewer than 2
/// different counts.
double frechet_at_infinity(const std::vector<FrechetAtCount>& values);

}  // namespace calotype
