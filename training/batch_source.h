#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "datasets/latent_store.h"
#include "datasets/loader.h"
#include "nn/trainable.h"

namespace calotype {

/// Where a pass over the data stands: what a checkpoint keeps of it.
struct DataPosition {
  int64_t epoch = 0;
  int64_t position = 0;
};

template <class Visitor>
void visit_fields(DataPosition& c, Visitor&& visit) {
  visit("epoch", c.epoch);
  visit("position", c.position);
}

/// An endless row of batches, epoch after epoch; what comes after a position is
/// a function of (seed, position).
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  /// The next batch, without seed and step. Throws DataError if an epoch holds
  /// none.
  virtual Batch next() = 0;

  virtual DataPosition position() const = 0;
  virtual void seek(const DataPosition& position) = 0;

  /// Samples in an epoch.
  virtual int64_t size() const = 0;
};

/// Called with each bad image that was skipped.
using SkipReport = std::function<void(const SkippedImage&)>;

/// Batches of images, decoded ahead.
std::unique_ptr<BatchSource> image_batches(
    std::shared_ptr<const ImageSource> source,
    const Preprocessing& preprocessing, const LoaderConfig& config,
    const SkipReport& on_skip = {});

/// Batches of latents or tokens from a store. Grids of different shapes never
/// share a batch. `shuffle` false: in the order of the store, as validation
/// wants it. `flips`: each sample is the image or its mirror image, drawn anew
/// in every epoch from (seed, sample, epoch); the store must have them.
std::unique_ptr<BatchSource> latent_batches(
    std::shared_ptr<const StoreReader> store, int64_t batch_size, uint64_t seed,
    bool shuffle = true, bool flips = false);

}  // namespace calotype
