#include "metrics/moments.h"

#include <torch/torch.h>

#include "core/check.h"
#include "core/error.h"

namespace calotype {
namespace {

/// The symmetric square root; eigenvalues that rounding made negative are 0.
at::Tensor symmetric_sqrt(const at::Tensor& matrix) {
  const auto [values, vectors] = torch::linalg_eigh(matrix, "L");
  return (vectors * values.clamp_min(0).sqrt()).matmul(vectors.t());
}

}  // namespace

void Moments::add(const at::Tensor& rows) {
  check_shape("Moments", "rows", rows, {-1, count_ > 0 ? mean_.size(0) : -1});
  if (rows.size(0) == 0) return;
  const auto values = rows.detach().to(torch::kCPU, torch::kDouble);
  Moments batch;
  batch.count_ = values.size(0);
  batch.mean_ = values.mean(0);
  const auto centred = values - batch.mean_;
  batch.scatter_ = centred.t().matmul(centred);
  merge(batch);
}

void Moments::merge(const Moments& other) {
  if (other.count_ == 0) return;
  if (count_ == 0) {
    *this = other;
    // Tensors are handles: what is added here must not change the other.
    mean_ = mean_.clone();
    scatter_ = scatter_.clone();
    return;
  }
  check_shape("Moments", "the other mean", other.mean_, {mean_.size(0)});
  const auto n = double(other.count_), total = double(count_) + n;
  const auto apart = other.mean_ - mean_;
  scatter_ +=
      other.scatter_ + apart.outer(apart) * (double(count_) * n / total);
  mean_ += apart * (n / total);
  count_ += other.count_;
}

at::Tensor Moments::covariance() const {
  if (count_ < 2)
    throw ConfigError(fmt::format(
        "moments: a covariance needs at least 2 images, got {}", count_));
  return scatter_ / double(count_ - 1);
}

double frechet_distance(const Moments& a, const Moments& b) {
  const auto root = symmetric_sqrt(a.covariance());
  const auto other = b.covariance();
  check_shape("frechet_distance", "the other covariance", other,
              {root.size(0), root.size(0)});
  // (C1 C2)^(1/2) has the trace of the symmetric (R C2 R)^(1/2), R = C1^(1/2).
  const auto product = root.matmul(other).matmul(root);
  const auto cross = torch::linalg_eigvalsh((product + product.t()) / 2, "L")
                         .clamp_min(0)
                         .sqrt()
                         .sum();
  const auto distance = (a.mean() - b.mean()).square().sum() +
                        a.covariance().trace() + other.trace() - 2 * cross;
  return distance.clamp_min(0).item<double>();
}

at::Tensor PrincipalComponents::project(const at::Tensor& rows) const {
  return (rows.to(torch::kDouble) - mean).matmul(directions.t());
}

at::Tensor PrincipalComponents::reconstruct(const at::Tensor& rows) const {
  return project(rows).matmul(directions) + mean;
}

PrincipalComponents principal_components(const Moments& moments, int64_t k) {
  const auto covariance = moments.covariance();
  check_range("principal components", "their number", double(k), 1,
              double(covariance.size(0)));
  const auto [values, vectors] = torch::linalg_eigh(covariance, "L");
  return {.mean = moments.mean(),
          .directions = vectors.t().flip(0).narrow(0, 0, k).contiguous(),
          .variances = values.flip(0).narrow(0, 0, k).clamp_min(0),
          .total_variance = values.clamp_min(0).sum().item<double>()};
}

}  // namespace calotype
