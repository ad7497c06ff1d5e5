#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>

namespace calotype {

/// Mean and covariance of rows that come in batches, in double: memory does not
/// grow with their number. Batches are merged as they are (Chan et al.,
/// "Updating Formulae and a Pairwise Algorithm", 1979), so that a large mean
/// does not eat the digits of the covariance.
class Moments {
 public:
  Moments() = default;

  /// As they were before: `mean` [F], `scatter` [F,F], both double and not
  /// shared with others.
  Moments(int64_t count, at::Tensor mean, at::Tensor scatter)
      : count_(count), mean_(std::move(mean)), scatter_(std::move(scatter)) {}

  /// `rows`: [N,F]. Throws ShapeError for another width than before.
  void add(const at::Tensor& rows);

  /// Adds the rows that made `other`. Throws ShapeError for another width.
  void merge(const Moments& other);

  int64_t count() const { return count_; }
  const at::Tensor& mean() const { return mean_; }  // [F] double

  /// The sum over the rows of what their distance from the mean times itself
  /// is, [F,F] double.
  const at::Tensor& scatter() const { return scatter_; }

  /// [F,F] double, divided by count - 1. Throws ConfigError for fewer than 2
  /// rows.
  at::Tensor covariance() const;

 private:
  int64_t count_ = 0;
  at::Tensor mean_, scatter_;
};

/// The directions of largest variance.
struct PrincipalComponents {
  at::Tensor mean;        // [F] double
  at::Tensor directions;  // [k,F] double, orthonormal, largest variance first
  at::Tensor variances;   // [k] double
  double total_variance = 0;

  /// Rows [N,F] -> [N,k] double.
  at::Tensor project(const at::Tensor& rows) const;

  /// The nearest rows of the subspace, [N,F] double.
  at::Tensor reconstruct(const at::Tensor& rows) const;
};

/// Throws ConfigError unless 1 <= k <= F.
PrincipalComponents principal_components(const Moments& moments, int64_t k);

}  // namespace calotype
