#include "metrics/set_overlap.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "core/check.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/stop_signal.h"
#include "metrics/feature_rows.h"
#include "metrics/neighbour_distances.h"
#include "nn/comparable_rows.h"
#include "nn/distance_kernel.h"

namespace calotype {
namespace {

// Products of which a thread is worth its while.
constexpr int64_t kComparisonsPerTask = 1 << 16;

/// [N,k] -> [N] of the k-th.
std::vector<double> radii(const at::Tensor& neighbours, int64_t k) {
  const auto column = neighbours.select(1, k - 1).contiguous();
  const auto* first = column.data_ptr<double>();
  return {first, first + column.size(0)};
}

/// The squared radii of all balls.
struct Balls {
  std::vector<double> precision, density;  // around the reference's rows
  std::vector<double> recall;              // around the generated rows
};

/// Threads may meet at a column, and all write the same.
void mark(bool& flag) {
  std::atomic_ref(flag).store(true, std::memory_order_relaxed);
}

/// Looks through the pairs of generated rows (rows of the tile) and the
/// reference's (its columns).
void compare_tile(const ComparableSets& sets, const Balls& balls,
                  const ProductTile& tile, const SetOverlap& overlap) {
  const auto& real = sets.reference;
  const auto& made = sets.generated;
  auto* precise = overlap.precise.data_ptr<bool>();
  auto* recalled = overlap.recalled.data_ptr<bool>();
  auto* covered = overlap.covered.data_ptr<bool>();
  auto* num_balls = overlap.balls.data_ptr<int64_t>();
  std::vector<float> of_balls, of_points;
  for (int64_t j = tile.column; j < tile.column + tile.columns; ++j) {
    const auto radius =
        std::max(balls.precision[size_t(j)], balls.density[size_t(j)]);
    of_balls.push_back(real.reach(j, radius));
    of_points.push_back(real.reach(j, 0));
  }
  parallel_for(0, tile.rows, grain_of(tile.columns, kComparisonsPerTask),
               [&](int64_t begin, int64_t end) {
                 std::vector<int32_t> found(size_t(tile.columns));
                 for (int64_t r = begin; r < end; ++r) {
                   const auto i = tile.row + r;
                   const auto* products = tile.products + r * tile.columns;
                   auto count = find_at_least(products, of_balls.data(),
                                              made.reach(i, 0), tile.columns,
                                              found.data());
                   for (int64_t n = 0; n < count; ++n) {
                     const auto j = tile.column + found[size_t(n)];
                     const auto narrow = balls.precision[size_t(j)];
                     const auto wide = balls.density[size_t(j)];
                     const auto apart =
                         made.comparable(i, real, j, products[found[size_t(n)]],
                                         {narrow, wide});
                     if (apart <= narrow) precise[i] = true;
                     if (apart > wide) continue;
                     ++num_balls[i];
                     mark(covered[j]);
                   }
                   const auto radius = balls.recall[size_t(i)];
                   count = find_at_least(products, of_points.data(),
                                         made.reach(i, radius), tile.columns,
                                         found.data());
                   for (int64_t n = 0; n < count; ++n) {
                     const auto j = tile.column + found[size_t(n)];
                     if (made.comparable(i, real, j, products[found[size_t(n)]],
                                         {radius}) <= radius)
                       mark(recalled[j]);
                   }
                 }
               });
}

double share(const at::Tensor& hits) {
  return hits.to(at::kDouble).mean().item<double>();
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

  const ComparableSets sets(real, made);
  const auto real_nearest =
      neighbour_distances(sets.reference, config.min_rows() - 1);
  const auto k = config.precision_neighbours;
  const Balls balls{.precision = radii(real_nearest, k),
                    .density = radii(real_nearest, config.density_neighbours),
                    .recall = radii(neighbour_distances(sets.generated, k), k)};

  SetOverlap overlap;
  overlap.precise = at::zeros({M}, at::kBool);
  overlap.recalled = at::zeros({N}, at::kBool);
  overlap.balls = at::zeros({M}, at::kLong);
  overlap.covered = at::zeros({N}, at::kBool);
  for_each_tile(sets.generated, sets.reference, /*upper=*/false,
                [&](const ProductTile& tile) {
                  throw_if_stopped();
                  compare_tile(sets, balls, tile, overlap);
                });
  overlap.precision = share(overlap.precise);
  overlap.recall = share(overlap.recalled);
  overlap.density = share(overlap.balls) / double(config.density_neighbours);
  overlap.coverage = share(overlap.covered);
  return overlap;
}

}  // namespace calotype
