#include "store/row_buckets.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "store/store_rows.h"

namespace calotype {
namespace {

int64_t min_index_of(const StoreRows& rows) {
  const auto* indices = rows.indices.data_ptr<int64_t>();
  return *std::min_element(indices, indices + rows.indices.size(0));
}

}  // namespace

RowBuckets::Bucket& RowBuckets::bucket_of(const StoreRows& stored) {
  const auto grid_shape = grid_values(stored).sizes().slice(1);
  for (auto& bucket : buckets_)
    if (grid_shape == at::IntArrayRef(bucket.grid_shape)) return bucket;
  return buckets_.emplace_back(
      Bucket{.grid_shape = grid_shape.vec(), .parts = {}});
}

void RowBuckets::add(StoreRows stored, const Write& write) {
  if (stored.indices.size(0) == 0) return;
  auto& bucket = bucket_of(stored);
  const auto first = min_index_of(stored);
  bucket.min_index =
      bucket.count == 0 ? first : std::min(bucket.min_index, first);
  bucket.count += stored.indices.size(0);
  bucket.parts.push_back(std::move(stored));
  while (bucket.count >= rows_per_shard_)
    write_first(bucket, rows_per_shard_, write);
}

/// The first `count` rows of `bucket`.
void RowBuckets::write_first(Bucket& bucket, int64_t count,
                             const Write& write) {
  bucket.parts = {join_rows(bucket.parts)};
  write(slice_rows(bucket.parts[0], 0, count));
  bucket.count -= count;
  if (bucket.count == 0) {
    bucket.parts.clear();
    return;
  }
  // A view would keep the memory of all.
  bucket.parts[0] = copy_rows(slice_rows(bucket.parts[0], count, bucket.count));
  bucket.min_index = min_index_of(bucket.parts[0]);
}

void RowBuckets::write_rest(
    const Write& write,
    const std::function<int64_t(const std::vector<int64_t>&, int64_t)>& first) {
  std::erase_if(buckets_, [](const Bucket& b) { return b.count == 0; });
  std::sort(buckets_.begin(), buckets_.end(),
            [&](const Bucket& a, const Bucket& b) {
              return first(a.grid_shape, a.min_index) <
                     first(b.grid_shape, b.min_index);
            });
  for (auto& bucket : buckets_)
    while (bucket.count > 0)
      write_first(bucket, std::min(bucket.count, rows_per_shard_), write);
  buckets_.clear();
}

}  // namespace calotype
