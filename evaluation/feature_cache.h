#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "datasets/loader.h"
#include "evaluation/feature_network.h"
#include "store/latent_store.h"

namespace calotype {

/// What a network says of the images of a set, computed or, where a cache holds
/// it, looked up. A cache is a store of rows in a folder whose name is a hash
/// of the set's fingerprint, the preprocessing and the network. Any number of
/// processes may share one: whole entries are read without a lock, and an entry
/// that another process is filling is computed without being kept. A damaged
/// one is computed anew, which a note says.
class FeatureCache {
 public:
  /// `folder`: empty keeps nothing.
  FeatureCache(const std::filesystem::path& folder, FeatureNetwork& network,
               const ImageSource& source, const Preprocessing& preprocessing);
  ~FeatureCache();

  /// [N,F+K] of a batch of the set.
  at::Tensor rows(const ImageBatch& batch);

  /// To be called after the last batch. `whole`: no image was missing;
  /// otherwise the cache stays incomplete, since it could not say which.
  void finish(bool whole);

  /// The store of a set that was seen as a whole before; null if there is none.
  const StoreReader* stored() const {
    return writer_ ? nullptr : reader_.get();
  }

 private:
  /// Reads the entry at `place`, goes on with it or begins it. Throws DataError
  /// if it is damaged, FolderInUse if another process is filling it.
  void open(const std::filesystem::path& place, const StoreInfo& info,
            int64_t num_images);
  void begin_or_go_on(const std::filesystem::path& place,
                      const StoreInfo& info);

  /// Keeps the rows `computed` of the images at some places of a batch.
  void append(const ImageBatch& batch, const std::vector<int64_t>& places,
              const at::Tensor& computed);

  FeatureNetwork& network_;
  std::unique_ptr<StoreReader> reader_;  // of what is there; null: nothing
  std::unique_ptr<StoreWriter>
      writer_;                   // null: all is there, or nothing is kept
  std::vector<int64_t> row_of_;  // by place in the set, -1 where none; empty:
                                 // nothing is kept
};

}  // namespace calotype
