#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/config.h"

namespace calotype {

/// The images of a reference that lie nearest to some others: were those learnt
/// by heart? The reference comes in batches and is not kept.
class NearestImages {
 public:
  static constexpr int64_t kNeighbours = 4;

  /// `queries`: [Q,F] features.
  explicit NearestImages(const at::Tensor& queries);

  /// `features`: [N,F]; `indices`: int64 [N], places in the reference.
  void add(const at::Tensor& features, const at::Tensor& indices);

  /// Places of the nearest, int64 [Q,k], and their distances, double [Q,k]; the
  /// nearest first, k at most kNeighbours.
  const at::Tensor& indices() const { return indices_; }
  const at::Tensor& distances() const { return distances_; }

  /// images; median_distance to the nearest; likely_copies: the share that is
  /// three times nearer to its nearest than to the next (arXiv:2310.02664,
  /// there between pixels). Null with fewer than two neighbours.
  Json summary() const;

 private:
  at::Tensor queries_, indices_, distances_;
};

}  // namespace calotype
