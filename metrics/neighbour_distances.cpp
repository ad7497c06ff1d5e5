#include "metrics/neighbour_distances.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "core/parallel.h"
#include "core/stop_signal.h"
#include "nn/distance_kernel.h"

namespace calotype {
namespace {

// Products of which a thread is worth its while.
constexpr int64_t kDistancesPerTask = 1 << 16;

/// The k nearest that were seen so far of each row, as heaps: the farthest of
/// them comes first.
class Nearest {
 public:
  Nearest(int64_t num_rows, int64_t k)
      : distances_(at::full({num_rows, k},
                            std::numeric_limits<double>::infinity(),
                            at::kDouble)),
        k_(k) {}

  double farthest(int64_t row) const { return heap(row)[0]; }

  void add(int64_t row, double distance) {
    auto* first = heap(row);
    if (distance >= *first) return;
    std::pop_heap(first, first + k_);
    first[k_ - 1] = distance;
    std::push_heap(first, first + k_);
  }

  at::Tensor sorted() const { return std::get<0>(distances_.sort(1)); }

 private:
  double* heap(int64_t row) const {
    return distances_.data_ptr<double>() + row * k_;
  }

  at::Tensor distances_;  // [N,k]
  int64_t k_;
};

/// Shows the rows of a tile its columns.
void add_columns(const ComparableRows& rows, const ProductTile& tile,
                 Nearest& nearest) {
  std::vector<float> bounds(size_t(tile.columns));
  for (int64_t j = 0; j < tile.columns; ++j)
    bounds[size_t(j)] = rows.reach(tile.column + j, 0);
  parallel_for(
      0, tile.rows, grain_of(tile.columns, kDistancesPerTask),
      [&](int64_t begin, int64_t end) {
        std::vector<int32_t> found(size_t(tile.columns));
        std::vector<std::pair<double, int64_t>> candidates;
        for (int64_t r = begin; r < end; ++r) {
          const auto i = tile.row + r;
          const auto* products = tile.products + r * tile.columns;
          const auto count = find_at_least(products, bounds.data(),
                                           rows.reach(i, nearest.farthest(i)),
                                           tile.columns, found.data());
          candidates.clear();  // nearest first, so that few need a distance
          for (int64_t n = 0; n < count; ++n) {
            const auto j = tile.column + found[size_t(n)];
            if (i != j)
              candidates.emplace_back(
                  rows.lower_bound(i, rows, j, products[found[size_t(n)]]), j);
          }
          std::sort(candidates.begin(), candidates.end());
          for (const auto& [bound, j] : candidates) {
            if (bound >= nearest.farthest(i)) break;
            nearest.add(i, rows.distance(i, rows, j));
          }
        }
      });
}

/// Shows the columns of a tile its rows; each thread has its own columns.
void add_rows(const ComparableRows& rows, const ProductTile& tile,
              Nearest& nearest) {
  parallel_for(0, tile.columns,
               std::max<int64_t>(64, grain_of(tile.rows, kDistancesPerTask)),
               [&](int64_t begin, int64_t end) {
                 std::vector<int32_t> found(size_t(end - begin));
                 std::vector<float> bounds(size_t(end - begin));
                 const auto set_bound = [&](int64_t c) {
                   const auto j = tile.column + c;
                   bounds[size_t(c - begin)] =
                       rows.reach(j, nearest.farthest(j));
                 };
                 for (int64_t c = begin; c < end; ++c) set_bound(c);
                 for (int64_t r = 0; r < tile.rows; ++r) {
                   const auto i = tile.row + r;
                   const auto count = find_at_least(
                       tile.products + r * tile.columns + begin, bounds.data(),
                       rows.reach(i, 0), end - begin, found.data());
                   for (int64_t n = 0; n < count; ++n) {
                     const auto c = begin + found[size_t(n)];
                     nearest.add(tile.column + c,
                                 rows.distance(i, rows, tile.column + c));
                     set_bound(c);
                   }
                 }
               });
}

}  // namespace

at::Tensor neighbour_distances(const ComparableRows& rows, int64_t k) {
  Nearest nearest(rows.size(), k);
  for_each_tile(rows, rows, /*upper=*/true, [&](const ProductTile& tile) {
    throw_if_stopped();
    add_columns(rows, tile, nearest);
    if (tile.row != tile.column) add_rows(rows, tile, nearest);
  });
  return nearest.sorted();
}

}  // namespace calotype
