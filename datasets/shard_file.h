#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/hdf5.h"
#include "datasets/latent_store.h"
#include "datasets/mapped_file.h"
#include "datasets/shard_list.h"

namespace calotype {

/// A shard on its way to the disk, and its line.
struct ShardImage {
  std::vector<uint8_t> bytes;
  ShardEntry entry;
};

/// `rows` as to_stored() makes them, at least one. The shard carries `info` as
/// its description.
ShardImage make_shard(const StoreInfo& info, const StoreRows& rows,
                      const std::string& file);

/// A shard in mapped memory. HDF5 is asked once where the arrays lie.
class ShardFile {
 public:
  /// Throws DataError unless the file is a shard in every respect. With `entry`
  /// its size and header are compared to that line before HDF5 sees a byte.
  explicit ShardFile(const std::filesystem::path& path,
                     const ShardEntry* entry = nullptr);

  /// As known when the shard was written: no statistics, its own shape and
  /// count.
  const StoreInfo& info() const { return info_; }
  const std::vector<int64_t>& grid_shape() const {
    return info_.grid_shapes[0];
  }
  int64_t count() const { return info_.count; }
  int64_t size_bytes() const { return int64_t(map_.bytes().size()); }

  /// Views of the file: read them, never write. [n,D,h,w] in the store's type,
  /// the bits of tokens in a store of tokens; logvar is undefined where there
  /// is none.
  at::Tensor mean() const { return moment(latents_); }
  at::Tensor logvar() const {
    return has_logvar_ ? moment(logvar_) : at::Tensor();
  }

  /// `row` must be in [0, count()).
  const uint8_t* mean_row(int64_t row) const { return at(latents_, row); }
  const uint8_t* logvar_row(int64_t row) const { return at(logvar_, row); }
  int64_t row_bytes() const { return latents_.size_bytes / count(); }
  int64_t label(int64_t row) const;
  int64_t index(int64_t row) const;
  std::string name(int64_t row) const;
  std::array<int32_t, 2> size(int64_t row) const;
  uint64_t source_hash(int64_t row) const;

  /// The hash of the whole file, which is read for it.
  std::string hash() const;

 private:
  void find_arrays(const std::filesystem::path& path);
  at::Tensor moment(const Hdf5Place& place) const;
  const uint8_t* at(const Hdf5Place& place, int64_t row) const {
    return map_.bytes().data() + place.offset +
           row * (place.size_bytes / place.shape[0]);
  }

  MappedFile map_;
  StoreInfo info_;
  bool has_logvar_ = false;
  Hdf5Place latents_, logvar_, label_, name_, index_, size_, source_hash_;
};

}  // namespace calotype
