#pragma once

#include <functional>
#include <vector>

#include "store/latent_store.h"

namespace calotype {

/// Rows that wait until there are enough of their grid shape for a shard. Which
/// rows share one depends on the rows alone, in their order, and on where
/// write_rest() was called: the cut of a store (ADR 7).
class RowBuckets {
 public:
  explicit RowBuckets(int64_t rows_per_shard)
      : rows_per_shard_(rows_per_shard) {}

  /// Writes rows of one grid shape, which are kept if it throws.
  using Write = std::function<void(const StoreRows& rows)>;

  /// `stored`: rows of one shape, as to_stored() makes them. Whatever is full
  /// then is written.
  void add(StoreRows stored, const Write& write);

  /// All that are left, shape after shape in the order of their first index:
  /// `first(shape, waiting)`, where `waiting` is the smallest that waits here.
  void write_rest(
      const Write& write,
      const std::function<int64_t(const std::vector<int64_t>& grid_shape,
                                  int64_t waiting)>& first);

 private:
  struct Bucket {
    std::vector<int64_t> grid_shape;
    std::vector<StoreRows> parts;
    int64_t count = 0;
    int64_t min_index = 0;
  };

  Bucket& bucket_of(const StoreRows& stored);
  static void write_first(Bucket& bucket, int64_t count, const Write& write);

  int64_t rows_per_shard_;
  std::vector<Bucket> buckets_;
};

}  // namespace calotype
