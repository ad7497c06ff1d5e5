#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/mapped_file.h"
#include "store/hdf5.h"
#include "store/latent_store.h"
#include "store/shard_list.h"

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
  /// Throws DataError unless the file is a shard in every respect; an index or
  /// an image's size below 0 and a label of no class are none. With `entry` its
  /// size and header are compared to that line before HDF5 sees a byte.
  explicit ShardFile(const std::filesystem::path& path,
                     const ShardEntry* entry = nullptr);

  const std::filesystem::path& path() const { return path_; }

  /// As known when the shard was written: no statistics, its own shape and
  /// count.
  const StoreInfo& info() const { return info_; }
  const std::vector<int64_t>& grid_shape() const {
    return info_.grid_shapes[0];
  }
  int64_t count() const { return info_.count; }
  int64_t size_bytes() const { return int64_t(map_.bytes().size()); }

  /// [n,D,h,w] in the store's type, the bits of tokens in a store of tokens;
  /// logvar is undefined where there is none. Views of the file where nothing
  /// is packed: read them, never write.
  at::Tensor mean() const;
  at::Tensor logvar() const {
    return has_logvar_ ? moment(logvar_) : at::Tensor();
  }

  /// The same of the mirror images; undefined without info().flips.
  LatentGrid flipped() const;

  /// The same of one row, `row` in [0, count()), into row_bytes() bytes;
  /// `flipped` needs info().flips. Of range-coded tokens all rows are decoded
  /// first, once; throws DataError if its line tells another hash, for the
  /// tokens would tell nothing.
  void copy_mean(int64_t row, uint8_t* out, bool flipped = false) const;
  void copy_logvar(int64_t row, uint8_t* out, bool flipped = false) const;
  int64_t row_bytes() const;
  int64_t label(int64_t row) const;
  int64_t index(int64_t row) const;
  std::string name(int64_t row) const;
  std::array<int32_t, 2> size(int64_t row) const;
  uint64_t source_hash(int64_t row) const;

  /// The hash of the whole file, which is read for it, and that of what follows
  /// its first `header_bytes`.
  std::string hash() const;
  std::string rows_hash(int64_t header_bytes) const;

 private:
  void find_arrays(const std::filesystem::path& path);
  void check_rows() const;  // what is used as a place or a size without a look
  int64_t row_numbers() const;        // D h w
  const at::Tensor& decoded() const;  // of range-coded tokens
  at::Tensor moment(const Hdf5Place& place) const;
  const uint8_t* at(const Hdf5Place& place, int64_t row) const {
    return map_.bytes().data() + place.offset +
           row * (place.size_bytes / place.shape[0]);
  }

  std::filesystem::path path_;
  std::string expected_hash_;  // empty if no line told it
  MappedFile map_;
  StoreInfo info_;
  bool has_logvar_ = false;
  int bits_ = 0;  // of a packed token
  struct Decoded {
    std::once_flag once;
    at::Tensor tokens;
  };
  std::unique_ptr<Decoded> decoded_;
  // latents_: or tokens, packed or coded ones too
  Hdf5Place latents_, logvar_, label_, name_, index_, size_, source_hash_;
  Hdf5Place flipped_latents_, flipped_logvar_;
};

}  // namespace calotype
