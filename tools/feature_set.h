#pragma once

#include <cstdint>
#include <vector>

#include "core/config.h"
#include "metrics/moments.h"

namespace calotype {

/// What comparisons need of a set's features: the moments of all of them, and
/// the rows of some images that the seed draws, since comparing every row with
/// every other takes the square of their number.
class FeatureSet {
 public:
  /// Of a set of `size` images. `max_rows`: at most so many rows; 0: all.
  FeatureSet(int64_t size, int64_t max_rows, uint64_t seed);

  /// `features`: [N,F]; `indices`: int64 [N], places in the set.
  void add(const at::Tensor& features, const at::Tensor& indices);

  const Moments& moments() const { return moments_; }

  /// [n,F] float on the CPU. Images that could not be read are missing.
  at::Tensor rows() const;

 private:
  std::vector<bool> drawn_;
  Moments moments_;
  std::vector<at::Tensor> rows_;
};

/// How the images `shown` compare with `reference`: frechet_distance over all
/// images; kid, precision, recall, density and coverage over the drawn ones,
/// and their numbers. What needs more images than there are is null.
Json compare_sets(const FeatureSet& shown, const FeatureSet& reference);

}  // namespace calotype
