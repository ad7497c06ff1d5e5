#include "metrics/frechet_distance.h"

#include <torch/types.h>

#include <algorithm>
#include <limits>

#include "core/check.h"

namespace calotype {

FrechetReference::FrechetReference(const Moments& reference)
    : mean_(reference.mean()) {
  const auto covariance = reference.covariance();
  variance_ = covariance.trace().item<double>();
  const auto [values, vectors] = torch::linalg_eigh(covariance, "L");
  const double rounding = double(values.size(0)) *
                          std::numeric_limits<double>::epsilon() *
                          values.max().item<double>();
  const auto kept = values.gt(rounding).nonzero().view(-1);
  factor_ = vectors.index_select(1, kept) * values.index_select(0, kept).sqrt();
}

double FrechetReference::distance(const Moments& other) const {
  const auto F = mean_.size(0);
  const auto covariance = other.covariance();
  check_shape("Fréchet distance", "the other covariance", covariance, {F, F});
  const auto product = factor_.t().matmul(covariance).matmul(factor_);
  // Small variances come first, and LAPACK's reduction of an upper triangle
  // works from the last row up: each then keeps digits of its own. With "L",
  // the root of their error, 1e-8, would be what is left.
  const auto cross = torch::linalg_eigvalsh((product + product.t()) / 2, "U")
                         .clamp_min(0)
                         .sqrt()
                         .sum()
                         .item<double>();
  const double spread =
      variance_ + covariance.trace().item<double>() - 2 * cross;
  return (mean_ - other.mean()).square().sum().item<double>() +
         std::max(0.0, spread);
}

double frechet_distance(const Moments& a, const Moments& b) {
  return FrechetReference(a).distance(b);
}

}  // namespace calotype
