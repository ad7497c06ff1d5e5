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
  LatentBatches(std::shared_ptr<const StoreReader> store, int64_t batch_size,
                uint64_t seed, bool shuffle, bool flips)
      : store_(std::move(store)),
        batch_size_(batch_size),
        seed_(seed),
        shuffle_(shuffle),
        flips_(flips) {
    if (flips) indices_ = store_->indices();
    // A bucket's last rows that fill no batch wait for another epoch's order; a
    // bucket smaller than a batch is one batch.
    const auto& buckets = store_->buckets();
    for (size_t b = 0; b < buckets.size(); ++b) {
      const auto rows = int64_t(buckets[b].size());
      const auto full = rows / batch_size_;
      for (int64_t i = 0; i < std::max<int64_t>(full, rows > 0); ++i)
        slots_.push_back({b, i});
    }
    if (slots_.empty()) throw DataError("training: the latent store is empty");
  }

  Batch next() override {
    if (at_.position >= int64_t(slots_.size())) at_ = {at_.epoch + 1, 0};
    const auto epoch = uint32_t(at_.epoch);
    const auto& slot = slots_[size_t(
        ordered(int64_t(slots_.size()), seed_, epoch)(at_.position))];
    ++at_.position;

    const auto& bucket = store_->buckets()[slot.bucket];
    const auto size = int64_t(bucket.size());
    // Each bucket has an order of its own, other than that of the batches.
    const auto order = ordered(size, seed_ + 1 + slot.bucket, epoch);
    const auto count = std::min(batch_size_, size);
    auto rows = at::empty({count}, at::kLong);
    for (int64_t i = 0; i < count; ++i)
      rows.data_ptr<int64_t>()[i] =
          bucket[size_t(order(slot.batch * batch_size_ + i))];
    auto read = store_->gather(rows, mirrored(rows, epoch));
    return {.data = read.tokens.defined() ? read.tokens : read.grid.mean,
            .logvar = read.grid.logvar,
            .labels = read.labels,
            .samples = read.indices};
  }

  DataPosition position() const override { return at_; }
  void seek(const DataPosition& position) override { at_ = position; }
  int64_t size() const override { return store_->size(); }

 private:
  std::function<int64_t(int64_t)> ordered(int64_t size, uint64_t seed,
                                          uint32_t epoch) const {
    if (!shuffle_) return [](int64_t i) { return i; };
    return Permutation(size, seed, epoch);
  }

  /// Which of `rows` are shown as their mirror images; undefined for none.
  at::Tensor mirrored(const at::Tensor& rows, uint32_t epoch) const {
    if (!flips_) return {};
    auto mirrored = at::empty(rows.sizes(), at::kBool);
    for (int64_t i = 0; i < rows.numel(); ++i) {
      // An image keeps its draws where its row moves to another shard.
      const auto sample = indices_[size_t(rows.data_ptr<int64_t>()[i])];
      mirrored.data_ptr<bool>()[i] =
          uniform({seed_, Stream::kStoredFlip, uint64_t(sample), epoch}) < 0.5;
    }
    return mirrored;
  }

  std::shared_ptr<const StoreReader> store_;
  std::vector<int64_t> indices_;  // of each row, with flips
  int64_t batch_size_;
  uint64_t seed_;
  bool shuffle_;
  bool flips_;
  std::vector<Slot> slots_;
  DataPosition at_;
};

}  // namespace

std::unique_ptr<BatchSource> latent_batches(
    std::shared_ptr<const StoreReader> store, int64_t batch_size, uint64_t seed,
    bool shuffle, bool flips) {
  return std::make_unique<LatentBatches>(std::move(store), batch_size, seed,
                                         shuffle, flips);
}

}  // namespace calotype
