#include "metrics/uncertainty.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/random.h"
#include "metrics/grouped_moments.h"

namespace calotype {
namespace {

constexpr int64_t kResamples = 1000;
constexpr int64_t kDrawsPerTask = 1 << 14;
constexpr double kLow = 0.025, kHigh = 0.975;

/// Linear between the two nearest of sorted numbers.
double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * double(sorted.size() - 1);
  const auto below = size_t(place);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] +
         (place - double(below)) * (sorted[above] - sorted[below]);
}

/// The sum of the rows of `values` [N,M] that resample `r` draws, each as often
/// as it is drawn. `drawn` and `counts`: N numbers of scratch.
void sum_resample(const double* values, int64_t N, int64_t M, const Draw& draw,
                  std::vector<int32_t>& drawn, std::vector<int32_t>& counts,
                  double* sums) {
  uniform_indices(draw, N, N, drawn.data());
  std::ranges::fill(counts, 0);
  for (const auto row : drawn) ++counts[size_t(row)];
  std::fill_n(sums, M, 0.0);
  for (int64_t row = 0; row < N; ++row, values += M)
    for (int64_t m = 0; m < M; ++m) sums[m] += counts[size_t(row)] * values[m];
}

}  // namespace

std::vector<Interval> bootstrap_means(const at::Tensor& values, uint64_t seed) {
  check_shape("bootstrap", "values", values, {-1, -1});
  const auto N = values.size(0), M = values.size(1);
  if (N == 0)
    throw ConfigError("bootstrap: there must be an image to measure, got none");
  check_range("bootstrap", "the number of images", double(N), 1, 0x1p31);
  const auto rows = values.to(at::kCPU, at::kDouble).contiguous();
  std::vector<double> sum(size_t(kResamples * M));
  parallel_for(
      0, kResamples, grain_of(N, kDrawsPerTask),
      [&](int64_t begin, int64_t end) {
        std::vector<int32_t> drawn(static_cast<size_t>(N)), counts(drawn);
        for (int64_t r = begin; r < end; ++r)
          sum_resample(
              rows.data_ptr<double>(), N, M,
              {.seed = seed, .stream = Stream::kBootstrap, .step = uint32_t(r)},
              drawn, counts, sum.data() + r * M);
      });
  std::vector<Interval> intervals;
  for (int64_t m = 0; m < M; ++m) {
    std::vector<double> column(kResamples);
    for (int64_t r = 0; r < kResamples; ++r)
      column[size_t(r)] = sum[size_t(r * M + m)] / double(N);
    std::sort(column.begin(), column.end());
    intervals.push_back({quantile(column, kLow), quantile(column, kHigh)});
  }
  return intervals;
}

Interval share_interval(double share, int64_t count) {
  constexpr double kNormal = 1.959964;  // 97.5 % of a standard normal
  const auto n = double(count), z2 = kNormal * kNormal;
  const double centre = (share + z2 / (2 * n)) / (1 + z2 / n);
  const double reach = kNormal / (1 + z2 / n) *
                       std::sqrt(share * (1 - share) / n + z2 / (4 * n * n));
  return {std::max(0.0, centre - reach), std::min(1.0, centre + reach)};
}

Interval jackknife(double estimate, const std::vector<double>& left_out) {
  constexpr double kStudent = 2.2622;  // 97.5 % of 9 degrees of freedom
  if (int64_t(left_out.size()) != GroupedMoments::kGroups)
    throw ShapeError("jackknife: expected a value for each of 10 groups");
  const auto groups = double(left_out.size());
  double mean = 0, scatter = 0;
  for (const auto value : left_out) mean += value / groups;
  for (const auto value : left_out) scatter += (value - mean) * (value - mean);
  const double error = std::sqrt((groups - 1) / groups * scatter);
  return {estimate - kStudent * error, estimate + kStudent * error};
}

}  // namespace calotype
