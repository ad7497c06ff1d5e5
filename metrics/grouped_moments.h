#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "metrics/moments.h"

namespace calotype {

/// The group in [0,10) of each image, a hash of its place in the set, so that
/// each group is a sample of the whole. `indices`: int64 [N]. Returns int64 [N]
/// on the CPU.
at::Tensor image_groups(const at::Tensor& indices);

/// The moments of a set by those groups: memory does not grow with the number
/// of images. Of F features it takes 40 F^2 bytes: scatters are symmetric, and
/// one half of each is kept.
class GroupedMoments {
 public:
  static constexpr int64_t kGroups = 10;

  /// `rows`: [N,F]; `indices`: int64 [N], places in the set. Throws ShapeError
  /// for another width than before.
  void add(const at::Tensor& rows, const at::Tensor& indices);

  /// Of the groups begin, ... end - 1.
  Moments of_groups(int64_t begin, int64_t end) const;

  /// Of all groups, and of all but one. A set's moments depend on the order of
  /// its batches only by rounding.
  Moments all() const;
  Moments without(int64_t group) const;

  /// Whether each group has an image, and the whole at least two more: else
  /// there is no interval.
  bool has_interval() const;

  /// Whether each group has at least 2 images, as a covariance needs.
  bool has_course() const;

 private:
  /// Rows wait until there are enough of them for a product of matrices.
  class Group {
   public:
    void add(const at::Tensor& rows);
    Moments moments() const;
    int64_t count() const { return count_ + num_waiting_; }

   private:
    int64_t count_ = 0, num_waiting_ = 0;
    at::Tensor mean_;
    std::vector<double> triangle_;  // of the scatter, row by row
    std::vector<at::Tensor> waiting_;
  };

  std::vector<Group> groups_{size_t(kGroups)};
};

}  // namespace calotype
