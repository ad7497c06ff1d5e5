#include <ATen/Functions.h>

#include <algorithm>

#include "core/error.h"
#include "core/random.h"
#include "training/batch_source.h"

namespace calotype {
namespace {

/// One batch of an epoch: which bucket, and which of its batches.
struct Slot {
  size_t bucket = 0;
  int64_t batch = 0;
};

class LatentBatches : public BatchSource {
 public:
  LatentBatches(std::shared_ptr<const StoreReader> store,
                const LatentPass& pass)
      : store_(std::move(store)), pass_(pass) {
    if (pass.flips) indices_ = store_->indices();
    const auto& buckets = store_->buckets();
    for (size_t b = 0; b < buckets.size(); ++b)
      for (int64_t i = 0; i < num_batches(int64_t(buckets[b].size())); ++i)
        slots_.push_back({b, i});
    if (slots_.empty()) throw DataError("training: the latent store is empty");
  }

  std::optional<Batch> next_of_epoch() override {
    if (at_.in_epoch.next >= int64_t(slots_.size())) {
      at_ = {.epoch = at_.epoch + 1};
      return {};
    }
    const auto& slot = slots_[size_t(
        ordered(int64_t(slots_.size()), pass_.seed)(at_.in_epoch.next))];
    ++at_.in_epoch.next;

    const auto rows = rows_of(slot);
    auto read = store_->gather(rows, mirrored(rows));
    rename_labels(read.labels, pass_.labels);
    return Batch{.data = read.tokens.defined() ? read.tokens : read.grid.mean,
                 .logvar = read.grid.logvar,
                 .labels = read.labels,
                 .samples = read.indices};
  }

  DataPosition position() const override { return at_; }
  void seek(const DataPosition& position) override { at_ = position; }
  int64_t size() const override { return store_->size(); }
  std::string name() const override { return "the latent store"; }

 private:
  int64_t num_batches(int64_t num_rows) const {
    const auto full = num_rows / pass_.batch_size;
    const bool has_rest = num_rows % pass_.batch_size != 0;
    return full + (has_rest && (full == 0 || !pass_.trains));
  }

  Permutation ordered(int64_t size, uint64_t seed) const {
    return {size, seed, pass_.trains ? uint32_t(at_.epoch) : 0};
  }

  /// int64 [N] of the store.
  at::Tensor rows_of(const Slot& slot) const {
    const auto& bucket = store_->buckets()[slot.bucket];
    const auto size = int64_t(bucket.size());
    // Each bucket has an order of its own, other than that of the batches.
    const auto order = ordered(size, pass_.seed + 1 + slot.bucket);
    const auto begin = slot.batch * pass_.batch_size;
    const auto count = std::min(pass_.batch_size, size - begin);
    auto rows = at::empty({count}, at::kLong);
    for (int64_t i = 0; i < count; ++i)
      rows.data_ptr<int64_t>()[i] = bucket[size_t(order(begin + i))];
    return rows;
  }

  /// Which of `rows` are shown as their mirror images; undefined for none.
  at::Tensor mirrored(const at::Tensor& rows) const {
    if (!pass_.flips) return {};
    auto mirrored = at::empty(rows.sizes(), at::kBool);
    for (int64_t i = 0; i < rows.numel(); ++i) {
      // An image keeps its draws where its row moves to another shard.
      const auto sample = indices_[size_t(rows.data_ptr<int64_t>()[i])];
      mirrored.data_ptr<bool>()[i] =
          uniform({pass_.seed, Stream::kStoredFlip, uint64_t(sample),
                   uint32_t(at_.epoch)}) < 0.5;
    }
    return mirrored;
  }

  std::shared_ptr<const StoreReader> store_;
  LatentPass pass_;
  std::vector<int64_t> indices_;  // of each row, with flips
  std::vector<Slot> slots_;
  DataPosition at_;
};

}  // namespace

std::unique_ptr<BatchSource> latent_batches(
    std::shared_ptr<const StoreReader> store, const LatentPass& pass) {
  return std::make_unique<LatentBatches>(std::move(store), pass);
}

}  // namespace calotype
