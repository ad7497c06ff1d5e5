#include "metrics/kernel_distance.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "core/error.h"
#include "core/stop_signal.h"
#include "metrics/feature_rows.h"
#include "metrics/grouped_moments.h"

namespace calotype {
namespace {

constexpr auto kWhere = "kernel distance";
constexpr int64_t kTileRows = 1024;  // 8 MiB of kernel values

/// Rows of a set, and which group each is in.
struct Rows {
  at::Tensor values;   // [N,F]
  at::Tensor members;  // [N,G]: 1 in the column of its group, else 0
};

Rows in_one_group(const at::Tensor& values) {
  return {values, at::ones({values.size(0), 1}, at::kDouble)};
}

/// Sums of the kernel over pairs of rows by pairs of groups: [G of a, G of b].
/// If both sets are `alike`, a row makes no pair with itself, and what lies
/// below the diagonal is not computed.
at::Tensor kernel_sums(const Rows& a, const Rows& b, bool alike) {
  const auto N = a.values.size(0), M = b.values.size(0);
  const auto F = double(std::max<int64_t>(1, a.values.size(1)));
  const auto one = at::ones({1}, at::kDouble);
  auto sums = at::zeros({a.members.size(1), b.members.size(1)}, at::kDouble);
  auto kernel = at::empty({0}, at::kDouble);
  for (int64_t row = 0; row < N; row += kTileRows)
    for (int64_t column = alike ? row : 0; column < M; column += kTileRows) {
      throw_if_stopped();
      const auto rows = std::min(kTileRows, N - row);
      const auto columns = std::min(kTileRows, M - column);
      kernel.resize_({rows, columns});
      at::addmm_out(kernel, one, a.values.narrow(0, row, rows),
                    b.values.narrow(0, column, columns).t(), 1, 1 / F)
          .pow_(3);
      if (alike && row == column) kernel.fill_diagonal_(0);
      const auto tile =
          a.members.narrow(0, row, rows)
              .t()
              .matmul(kernel.matmul(b.members.narrow(0, column, columns)));
      sums += tile;
      if (alike && row != column) sums += tile.t();
    }
  return sums;
}

/// [M] -> [M,10].
at::Tensor members_of(const at::Tensor& groups, int64_t M) {
  const auto places = groups.to(at::kCPU, at::kLong);
  if (places.lt(0)
          .logical_or(places.ge(GroupedMoments::kGroups))
          .any()
          .item<bool>())
    throw ShapeError(fmt::format("{}: groups must be in [0, {}), got others",
                                 kWhere, GroupedMoments::kGroups));
  return at::zeros({M, GroupedMoments::kGroups}, at::kDouble)
      .scatter_(1, places.unsqueeze(1), 1);
}

/// All that the estimate and its parts need.
struct Sums {
  double real = 0;      // mean of the kernel within the reference
  double num_real = 0;  // N
  at::Tensor within,
      across;         // [G,G] within the generated, [G] to the reference
  at::Tensor counts;  // [G] generated rows

  /// The unbiased estimate for the generated rows, all but those of a group.
  double estimate(double sum_within, double sum_across, double count) const {
    return real + sum_within / (count * (count - 1)) -
           2 * sum_across / (num_real * count);
  }

  double value() const {
    return estimate(within.sum().item<double>(), across.sum().item<double>(),
                    counts.sum().item<double>());
  }

  double without(int64_t g) const {
    const auto pairs = within.sum() - 2 * within[g].sum() + within[g][g];
    return estimate(pairs.item<double>(),
                    (across.sum() - across[g]).item<double>(),
                    (counts.sum() - counts[g]).item<double>());
  }
};

/// `groups`: [M], or undefined: all in one.
Sums sums_of(const at::Tensor& reference, const at::Tensor& generated,
             const at::Tensor& groups) {
  const auto real = in_one_group(feature_rows(kWhere, "reference", reference));
  const auto width = real.values.size(1);
  auto made = in_one_group(feature_rows(kWhere, "generated", generated, width));
  const auto N = real.values.size(0), M = made.values.size(0);
  if (groups.defined()) made.members = members_of(groups, M);
  if (std::min(N, M) < 2)
    throw ConfigError(
        fmt::format("{}: each set needs at least 2 images, got {} reference "
                    "and {} generated",
                    kWhere, N, M));
  const auto pairs = double(N) * double(N - 1);
  return {.real = kernel_sums(real, real, true).item<double>() / pairs,
          .num_real = double(N),
          .within = kernel_sums(made, made, true),
          .across = kernel_sums(made, real, false).select(1, 0),
          .counts = made.members.sum(0)};
}

}  // namespace

double kernel_distance(const at::Tensor& reference,
                       const at::Tensor& generated) {
  return sums_of(reference, generated, {}).value();
}

KernelDistance kernel_distance(const at::Tensor& reference,
                               const at::Tensor& generated,
                               const at::Tensor& groups) {
  check_shape(kWhere, "groups", groups, {generated.size(0)});
  const auto sums = sums_of(reference, generated, groups);
  const auto largest = int64_t(sums.counts.max().item<double>());
  if (generated.size(0) - largest < 2)
    throw ConfigError(fmt::format(
        "{}: each set needs at least 2 images without one of its groups, got "
        "{} of {} in one group",
        kWhere, largest, generated.size(0)));
  KernelDistance result{.value = sums.value(), .left_out = {}};
  for (int64_t g = 0; g < GroupedMoments::kGroups; ++g)
    result.left_out.push_back(sums.without(g));
  return result;
}

namespace {

/// Sums over pairs of images by pairs of their groups: [G,G], and [G] images.
/// `members`: [N,G].
std::pair<at::Tensor, at::Tensor> paired_sums(const at::Tensor& reference,
                                              const at::Tensor& generated,
                                              const at::Tensor& members) {
  const Rows real{feature_rows(kWhere, "reference", reference), members};
  const Rows made{feature_rows(kWhere, "generated", generated), members};
  const auto own = (real.values * made.values)
                       .sum(1)
                       .div_(double(std::max<int64_t>(1, real.values.size(1))))
                       .add_(1)
                       .pow_(3);
  const auto across = kernel_sums(made, real, false) -
                      (members * own.unsqueeze(1)).sum(0).diag();
  return {kernel_sums(real, real, true) + kernel_sums(made, made, true) -
              across - across.t(),
          members.sum(0)};
}

double paired_estimate(const at::Tensor& pairs, const at::Tensor& count) {
  const auto n = count.item<double>();
  if (n < 2)
    throw ConfigError(fmt::format(
        "{}: needs at least 2 pairs, without any one group", kWhere));
  return pairs.item<double>() / (n * (n - 1));
}

}  // namespace

double paired_kernel_distance(const at::Tensor& reference,
                              const at::Tensor& generated) {
  const auto N = reference.size(0);
  check_shape(kWhere, "generated", generated, {N, reference.size(1)});
  const auto [sums, counts] =
      paired_sums(reference, generated, at::ones({N, 1}, at::kDouble));
  return paired_estimate(sums.sum(), counts.sum());
}

KernelDistance paired_kernel_distance(const at::Tensor& reference,
                                      const at::Tensor& generated,
                                      const at::Tensor& groups) {
  const auto N = reference.size(0);
  check_shape(kWhere, "generated", generated, {N, reference.size(1)});
  check_shape(kWhere, "groups", groups, {N});
  const auto [sums, counts] =
      paired_sums(reference, generated, members_of(groups, N));
  KernelDistance result{.value = paired_estimate(sums.sum(), counts.sum()),
                        .left_out = {}};
  for (int64_t g = 0; g < GroupedMoments::kGroups; ++g)
    result.left_out.push_back(paired_estimate(
        sums.sum() - 2 * sums[g].sum() + sums[g][g], counts.sum() - counts[g]));
  return result;
}

}  // namespace calotype
