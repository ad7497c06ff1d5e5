#include "metrics/moments.h"

#include <fmt/format.h>

#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"

namespace calotype {

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
