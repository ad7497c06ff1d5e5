#include "training/power_profile.h"

#include <torch/types.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/error.h"

namespace calotype {
namespace {

// What the snapshots' profiles have less of than this, next to their strongest
// direction, is rounding, which the inverse would blow up.
constexpr double kSmallestEigenvalue = 1e-10;

}  // namespace

double power_length(double exponent) {
  return std::sqrt((exponent + 1) / (exponent + 3)) / (exponent + 2);
}

double power_exponent(double length) {
  check_range("average", "length", length, kShortestAverage, kLongestAverage);
  double low = 0, high = 1 / length;  // the length falls, below 1 / exponent
  while (true) {
    const double middle = 0.5 * (low + high);
    if (middle <= low || middle >= high) return middle;
    (power_length(middle) > length ? low : high) = middle;
  }
}

double power_share(double exponent, int64_t step) {
  if (step <= 1) return 1;
  return -std::expm1((exponent + 1) * std::log1p(-1 / double(step)));
}

double ProfileBasis::inner_product(const Power& a, const Power& b) {
  const auto& first = a.end < b.end ? a : b;
  const auto& last = a.end < b.end ? b : a;
  return (a.exponent + 1) * (b.exponent + 1) *
         std::pow(first.end / last.end, last.exponent) /
         ((a.exponent + b.exponent + 1) * last.end);
}

ProfileBasis::ProfileBasis(const std::vector<AverageProfile>& snapshots,
                           int64_t step) {
  if (snapshots.empty()) throw ShapeError("ProfileBasis: no snapshots");
  for (const auto& snapshot : snapshots) {
    if (snapshot.step < 1 || snapshot.step > step)
      throw ShapeError(
          fmt::format("ProfileBasis: steps must be in [1, {}], got {}", step,
                      snapshot.step));
    powers_.push_back({power_exponent(snapshot.length),
                       double(snapshot.step) / double(step)});
  }
  const auto n = int64_t(powers_.size());
  gram_ = torch::empty({n, n}, torch::kDouble);
  auto at = gram_.accessor<double, 2>();
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j <= i; ++j)
      at[i][j] = at[j][i] =
          inner_product(powers_[size_t(i)], powers_[size_t(j)]);
  // In units of each profile's own norm, which grows as 1 / step.
  norm_ = gram_.diagonal().sqrt();
  const auto unit = gram_ / norm_.unsqueeze(0) / norm_.unsqueeze(1);
  const auto [values, vectors] = torch::linalg_eigh(unit, "L");
  vectors_ = vectors;
  scale_ = torch::where(values > kSmallestEigenvalue * values.max(),
                        values.reciprocal(), torch::zeros_like(values));
}

at::Tensor ProfileBasis::solve(const at::Tensor& right) const {
  return vectors_.matmul(scale_ * vectors_.t().matmul(right / norm_)) / norm_;
}

ProfileFit ProfileBasis::fit(double length) const {
  const Power wanted{power_exponent(length), 1};
  auto toward = torch::empty_like(norm_);
  for (size_t i = 0; i < powers_.size(); ++i)
    toward[int64_t(i)] = inner_product(powers_[i], wanted);

  // Lagrange's multiplier sees to the sum.
  const auto free = solve(toward), constant = solve(torch::ones_like(norm_));
  const auto surplus = (free.sum() - 1) / constant.sum();
  const auto shares = (free - surplus * constant).contiguous();

  const double norm_squared = inner_product(wanted, wanted);
  const double error_squared =
      (shares.dot(gram_.matmul(shares)) - 2 * shares.dot(toward))
          .item<double>() +
      norm_squared;
  const auto* data = shares.data_ptr<double>();
  return {.shares = {data, data + shares.numel()},
          .error = std::sqrt(std::max(0.0, error_squared) / norm_squared)};
}

}  // namespace calotype
