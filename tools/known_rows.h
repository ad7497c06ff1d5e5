#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "datasets/image_source.h"
#include "store/latent_store.h"

namespace calotype {

/// Which images of a source have their rows in a store already, by name and
/// content: what need not be encoded when a folder grew or changed.
class KnownRows {
 public:
  /// `store`: of the same codec and settings. Reads the hashes of the images.
  KnownRows(std::shared_ptr<const StoreReader> store,
            const ImageSource& source);

  int64_t count() const { return count_; }

  /// All rows of the store.
  int64_t num_rows() const { return store_->size(); }

  /// Rows of the store whose image the source does not have any more.
  int64_t num_gone() const { return num_gone_; }

  /// Whether the store's rows are the source's images, all of them, with the
  /// indices and labels that they have now.
  bool is_all() const { return is_all_; }

  bool has(int64_t index) const { return rows_[size_t(index)] >= 0; }

  /// Height and width of a known image.
  std::array<int32_t, 2> size(int64_t index) const;

  /// The rows of known images of one grid shape, with the indices and labels
  /// that they have in the source.
  StoreRows read(const std::vector<int64_t>& indices) const;

 private:
  std::shared_ptr<const StoreReader> store_;
  std::vector<int64_t> rows_;    // of each image in the store, or -1
  std::vector<int64_t> labels_;  // of each image in the source
  int64_t count_ = 0, num_gone_ = 0;
  bool is_all_ = false;
};

/// `source` with blank images in place of those that have a size in `sizes`
/// (height and width, of each image; {0,0}: none), so that a loader forms the
/// batches that it would form of the images themselves, and reads none of them.
std::shared_ptr<const ImageSource> with_blanks(
    std::shared_ptr<const ImageSource> source,
    std::vector<std::array<int32_t, 2>> sizes, int64_t channels);

}  // namespace calotype
