#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/config.h"
#include "evaluation/feature_source.h"
#include "metrics/grouped_moments.h"
#include "metrics/inception_score.h"
#include "metrics/moments.h"

namespace calotype {

/// What comparisons need of a set's features: the moments of all of them, and
/// the rows of some images that the seed draws, since comparing every row with
/// every other takes the square of their number. Memory does not grow with the
/// set beyond those rows.
class FeatureSet {
 public:
  /// Of a set of `size` images. `max_rows`: at most so many rows; 0: all.
  /// `grouped`: whether groups can be left out, which takes the memory of ten
  /// covariances instead of one.
  FeatureSet(int64_t size, int64_t max_rows, uint64_t seed, bool grouped);

  void add(const FeatureRows& rows);

  /// Of all images; its groups, if they were asked for.
  Moments moments() const { return grouped_ ? groups_.all() : whole_; }
  const GroupedMoments& grouped() const { return groups_; }
  int64_t count() const { return count_; }

  /// Gives their memory back; the rows stay.
  void forget_moments();

  /// [n,F] float on the CPU, and int64 [n], the group that each is in.
  /// Images that could not be read are missing.
  at::Tensor rows() const;
  at::Tensor row_groups() const;

  /// Nothing without classes, or with too few images.
  std::optional<InceptionScore::Score> inception_score() const;

 private:
  int64_t count_ = 0;
  std::vector<bool> drawn_;
  bool grouped_;
  GroupedMoments groups_;
  Moments whole_;
  at::Tensor rows_, row_groups_;  // with room for all that are drawn
  int64_t num_drawn_, num_rows_ = 0;
  std::optional<InceptionScore> score_;
};

/// How the images `shown` compare with `reference`: frechet_distance over all
/// images, with its course as their number grows
/// unless they are paired; inception_score; kid, precision, recall, density and
/// coverage over the drawn ones; "intervals" of each at 95 % and, under
/// "samples", the values by which two results can be compared; a "note" where
/// a set is too small or its rows are all the same. What needs more images than
/// there are is null. `paired`: image i of one set belongs to image i of the
/// other, so that both are left out together (`reference` is then grouped too);
/// otherwise the reference is taken as given. `seed`: of the bootstrap. Both
/// forget their moments on the way.
Json compare_sets(FeatureSet& shown, FeatureSet& reference, bool paired,
                  uint64_t seed);

}  // namespace calotype
