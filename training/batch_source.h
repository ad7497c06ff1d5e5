#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasets/loader.h"
#include "nn/trainable.h"
#include "store/latent_store.h"

namespace calotype {

/// Where a pass over the data stands: what a checkpoint keeps of it.
struct DataPosition {
  int64_t epoch = 0;
  LoaderPosition in_epoch = 0;

  bool operator==(const DataPosition&) const = default;
};

/// A row of batches, epoch after epoch; what comes after a position is a
/// function of (seed, position).
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  /// The next batch, without seed and step, or nothing at the end of the epoch:
  /// the one after that is of the next.
  virtual std::optional<Batch> next_of_epoch() = 0;

  /// The next batch, of the next epoch at the end of this one. Throws DataError
  /// if an epoch holds none.
  Batch next();

  virtual DataPosition position() const = 0;
  virtual void seek(const DataPosition& position) = 0;

  /// Samples in an epoch.
  virtual int64_t size() const = 0;

  /// What messages call it.
  virtual std::string name() const = 0;
};

/// Called once with each bad image that was skipped.
using SkipReport = std::function<void(const SkippedImage&)>;

/// Batches of images, decoded ahead. `labels`: see LatentPass.
std::unique_ptr<BatchSource> image_batches(
    std::shared_ptr<const ImageSource> source,
    const Preprocessing& preprocessing, const LoaderConfig& config,
    const SkipReport& on_skip = {}, const std::vector<int64_t>& labels = {});

/// The same images with their latents, those of the rows of `store` whose
/// index in the source is theirs. Throws DataError for an image without one.
std::unique_ptr<BatchSource> with_latents(
    std::unique_ptr<BatchSource> images,
    std::shared_ptr<const StoreReader> store);

/// How the rows of a store come.
struct LatentPass {
  int64_t batch_size = 64;
  uint64_t seed = 0;

  // Training: each epoch in an order of its own, in which the last rows of a
  // grid shape that fill no batch wait for another epoch; a shape with fewer
  // rows than a batch is one smaller batch. Otherwise every row, in the one
  // order that the seed names.
  bool trains = true;

  // Each sample is the image or its mirror image, drawn anew in every epoch
  // from (seed, sample, epoch); the store must have them.
  bool flips = false;

  // What label k of the set is to be called, -1 for none; empty: k. So are
  // classes matched by their names (datasets/class_map.h).
  std::vector<int64_t> labels;
};

/// Batches of latents or tokens from a store. Grids of different shapes never
/// share a batch.
std::unique_ptr<BatchSource> latent_batches(
    std::shared_ptr<const StoreReader> store, const LatentPass& pass);

/// Labels, int64 [N], as LatentPass::labels calls them, in place.
void rename_labels(at::Tensor& labels, const std::vector<int64_t>& names);

}  // namespace calotype
