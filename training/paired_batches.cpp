#include <ATen/Functions.h>
#include <fmt/format.h>

#include <map>

#include "core/error.h"
#include "training/batch_source.h"

namespace calotype {
namespace {

class PairedBatches : public BatchSource {
 public:
  PairedBatches(std::unique_ptr<BatchSource> images,
                std::shared_ptr<const StoreReader> store)
      : images_(std::move(images)), store_(std::move(store)) {
    const auto indices = store_->indices();
    for (size_t row = 0; row < indices.size(); ++row)
      rows_[indices[row]] = int64_t(row);
  }

  std::optional<Batch> next_of_epoch() override {
    auto batch = images_->next_of_epoch();
    if (!batch) return batch;
    const auto rows = at::empty_like(batch->samples);
    for (int64_t i = 0; i < rows.numel(); ++i)
      rows.data_ptr<int64_t>()[i] =
          row_of(batch->samples.data_ptr<int64_t>()[i]);
    const auto latents = store_->gather(rows).grid;
    batch->latents = latents.mean;
    batch->logvar = latents.logvar;
    return batch;
  }

  DataPosition position() const override { return images_->position(); }
  void seek(const DataPosition& position) override { images_->seek(position); }
  int64_t size() const override { return images_->size(); }
  std::string name() const override { return images_->name(); }

 private:
  int64_t row_of(int64_t index) const {
    const auto found = rows_.find(index);
    if (found == rows_.end())
      throw DataError(fmt::format("{}: has no latents of image {} of {}",
                                  store_->path().string(), index, name()));
    return found->second;
  }

  std::unique_ptr<BatchSource> images_;
  std::shared_ptr<const StoreReader> store_;
  std::map<int64_t, int64_t> rows_;  // by the index of their image
};

}  // namespace

std::unique_ptr<BatchSource> with_latents(
    std::unique_ptr<BatchSource> images,
    std::shared_ptr<const StoreReader> store) {
  return std::make_unique<PairedBatches>(std::move(images), std::move(store));
}

}  // namespace calotype
