#include "metrics/uncertainty.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/error.h"
#include "core/random.h"
#include "metrics/grouped_moments.h"

namespace calotype {
namespace {

constexpr int64_t kResamples = 1000;
constexpr int64_t kBlockCounts = int64_t{1} << 20;  // 8 MiB a thread
constexpr double kLow = 0.025, kHigh = 0.975;

/// Linear between the two nearest of sorted numbers.
double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * double(sorted.size() - 1);
  const auto below = size_t(place);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] +
         (place - double(below)) * (sorted[above] - sorted[below]);
}

/// How often each of N rows is drawn in resamples [first, first + size):
/// double [size,N].
at::Tensor drawn_counts(int64_t N, uint64_t seed, int64_t first, int64_t size) {
  auto counts = at::zeros({size, N}, at::kDouble);
  std::vector<int32_t> drawn(static_cast<size_t>(N));
  for (int64_t r = 0; r < size; ++r) {
    uniform_indices({.seed = seed,
                     .stream = Stream::kBootstrap,
                     .step = uint32_t(first + r)},
                    N, N, drawn.data());
    auto* count = counts.data_ptr<double>() + r * N;
    for (const auto row : drawn) ++count[row];
  }
  return counts;
}

}  // namespace

std::vector<Interval> bootstrap_means(const at::Tensor& values, uint64_t seed) {
  check_shape("bootstrap", "values", values, {-1, -1});
  const auto N = values.size(0), M = values.size(1);
  if (N == 0)
    throw ConfigError("bootstrap: there must be an image to measure, got none");
  check_range("bootstrap", "the number of images", double(N), 1, 0x1p31);
  const auto rows = values.to(at::kCPU, at::kDouble).contiguous();
  const auto sums = at::empty({kResamples, M}, at::kDouble);
  // How often each row was drawn, times the rows: sums whose bits depend on the
  // size of a block, but not on which thread has it.
  const auto per_block = std::clamp<int64_t>(kBlockCounts / N, 1, kResamples);
  const auto num_blocks = (kResamples + per_block - 1) / per_block;
  at::parallel_for(0, num_blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const auto first = block * per_block;
      const auto size = std::min(per_block, kResamples - first);
      sums.narrow(0, first, size)
          .copy_(drawn_counts(N, seed, first, size).mm(rows));
    }
  });
  const auto* sum = sums.data_ptr<double>();
  std::vector<Interval> intervals;
  for (int64_t m = 0; m < M; ++m) {
    std::vector<double> column(kResamples);
    for (int64_t r = 0; r < kResamples; ++r)
      column[size_t(r)] = sum[r * M + m] / double(N);
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
