#include "metrics/set_overlap.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/check.h"
#include "core/error.h"
#include "core/stop_signal.h"
#include "metrics/feature_rows.h"

namespace calotype {
namespace {

/// [A,F], [B,F] -> [A,B]. LibTorch's quicker way over a matrix product would
/// not give 0 for equal rows.
at::Tensor distances(const at::Tensor& from, const at::Tensor& to) {
  constexpr int64_t kFromDifferences = 2;
  return at::cdist(from, to, 2, kFromDifferences);
}

/// Distance of each row to its 1st, 2nd, ... k-th nearest other row, [N,k].
at::Tensor neighbour_distances(const at::Tensor& rows, int64_t k) {
  const auto N = rows.size(0);
  std::vector<at::Tensor> nearest;
  for (int64_t begin = 0; begin < N; begin += rows_per_block(N)) {
    throw_if_stopped();
    const auto count = std::min(rows_per_block(N), N - begin);
    const auto block = distances(rows.narrow(0, begin, count), rows);
    block.diagonal(begin).fill_(std::numeric_limits<double>::infinity());
    nearest.push_back(
        std::get<0>(block.topk(k, 1, /*largest=*/false, /*sorted=*/true)));
  }
  return at::cat(nearest);
}

/// [N,1...] -> [N] of the k-th.
at::Tensor radii(const at::Tensor& neighbours, int64_t k) {
  return neighbours.select(1, k - 1).contiguous();
}

void expect_rows(const char* what, const at::Tensor& rows, int64_t expected) {
  if (rows.size(0) < expected)
    throw ConfigError(fmt::format(
        "set overlap: {} nearest neighbours need at least {} {} images, got {}",
        expected - 1, expected, what, rows.size(0)));
}

}  // namespace

void SetOverlapConfig::validate() const {
  const auto where = "set overlap";
  check_range(where, "precision_neighbours", double(precision_neighbours), 1,
              1e6);
  check_range(where, "density_neighbours", double(density_neighbours), 1, 1e6);
}

int64_t SetOverlapConfig::min_rows() const {
  return std::max(precision_neighbours, density_neighbours) + 1;
}

SetOverlap set_overlap(const at::Tensor& reference, const at::Tensor& generated,
                       const SetOverlapConfig& config) {
  config.validate();
  const auto where = "set overlap";
  const auto real = feature_rows(where, "reference", reference);
  const auto made = feature_rows(where, "generated", generated, real.size(1));
  expect_rows("reference", real, config.min_rows());
  expect_rows("generated", made, config.min_rows());
  const auto N = real.size(0), M = made.size(0);

  const auto k = config.precision_neighbours;
  const auto real_nearest = neighbour_distances(real, config.min_rows() - 1);
  const auto real_radii = radii(real_nearest, k);
  const auto real_wide_radii = radii(real_nearest, config.density_neighbours);
  const auto made_radii = radii(neighbour_distances(made, k), k);

  int64_t precise = 0, in_balls = 0;
  auto recalled = at::zeros({N}, at::kBool), covered = recalled.clone();
  for (int64_t begin = 0; begin < M; begin += rows_per_block(N)) {
    throw_if_stopped();
    const auto count = std::min(rows_per_block(N), M - begin);
    const auto block = distances(made.narrow(0, begin, count), real);
    precise += block.le(real_radii).any(1).sum().item<int64_t>();
    const auto inside = block.le(real_wide_radii);
    in_balls += inside.sum().item<int64_t>();
    covered.logical_or_(inside.any(0));
    const auto around = made_radii.narrow(0, begin, count).unsqueeze(1);
    recalled.logical_or_(block.le(around).any(0));
  }
  return {.precision = double(precise) / double(M),
          .recall = recalled.sum().item<double>() / double(N),
          .density =
              double(in_balls) / double(config.density_neighbours) / double(M),
          .coverage = covered.sum().item<double>() / double(N)};
}

}  // namespace calotype
