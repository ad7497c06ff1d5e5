#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "datasets/loader.h"
#include "evaluation/block_rows.h"
#include "evaluation/evaluate.h"
#include "evaluation/feature_cache.h"
#include "evaluation/feature_network.h"
#include "evaluation/measured_blocks.h"
#include "evaluation/protocol.h"
#include "store/latent_store.h"

namespace calotype {

/// What an earlier pass met.
struct FeaturePass {
  int64_t num_images = 0;
  double images_per_s = 0;
  std::vector<SkippedImage> skipped;
  PassNotes notes;
  SetHash hash;
};

/// A set whose features can be visited: of images that a network sees, or rows
/// that the user brings as a store of latents (each grid is one row) or as a
/// safetensors file with one tensor [N,F].
class FeatureSource {
 public:
  /// `network`: null for rows of the user. Throws ConfigError if there is
  /// nothing of the kind under `spec`.
  FeatureSource(const EvaluateJob& job, std::string spec,
                FeatureNetwork* network);
  ~FeatureSource();

  int64_t size() const;
  std::vector<std::string> class_names() const;
  const std::string& spec() const { return spec_; }

  /// The images; null for rows of the user.
  std::shared_ptr<const ImageSource> images() const { return images_; }

  /// The store that the user's rows are in; null for images and tables.
  const StoreReader* store() const { return store_.get(); }

  /// Instead of computing rows of images, visit() takes those that were
  /// measured as blocks `first_block` and so on. `blocks` must outlive this.
  void take_from(const MeasuredBlocks& blocks, int64_t first_block);

  /// What the network says of a block of the images, for a file.
  TensorFile measure(int64_t block);

  /// Visits all rows block by block (see BlockRows), with progress under
  /// `label`. Throws DataError for a row that is not finite.
  FeaturePass visit(const char* label,
                    const std::function<void(const FeatureRows&)>& visit);

 private:
  /// As they come.
  FeaturePass visit_any(const char* label,
                        const std::function<void(const FeatureRows&)>& visit);
  FeaturePass visit_images(
      const char* label, const std::function<void(const FeatureRows&)>& visit);
  FeaturePass visit_store(const char* label, const StoreReader& store,
                          int64_t num_features,
                          const std::function<void(const FeatureRows&)>& visit);
  FeaturePass visit_measured(
      const std::function<void(const FeatureRows&)>& visit);
  FeaturePass visit_table(const std::function<void(const FeatureRows&)>& visit);

  /// The labels of images as they are today, whatever a cache was told.
  at::Tensor labels_of(const at::Tensor& indices) const;

  const EvaluateJob& job_;
  std::string spec_;
  FeatureNetwork* network_;
  std::shared_ptr<const ImageSource> images_;
  std::unique_ptr<StoreReader> store_;
  int64_t num_places_ = 0;  // of store_: the last row's place, and one
  at::Tensor table_;
  const MeasuredBlocks* measured_ = nullptr;
  int64_t first_block_ = 0;  // of measured_
};

}  // namespace calotype
