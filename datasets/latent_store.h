#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/latent_grid.h"

// The latent store: a folder of write-once HDF5 shards (docs/latent_store.md).
namespace calotype {

/// store.json: everything that one must know to use the latents.
struct StoreInfo {
  int64_t format_version = 1;
  std::string kind = "moments";  // moments (mean and logvar), latents, later tokens
  std::string dtype = "fp32";    // fp32, fp16, bf16
  std::vector<std::vector<int64_t>> grid_shapes;  // [D,h,w] of each bucket
  Json codec = Json::object();          // class, sha256, config, path
  Json preprocessing = Json::object();  // resize, crop, channels
  Json source = Json::object();         // spec, fingerprint, count
  Json recipe = Json::object();         // how latents were drawn, where they were
  std::vector<std::string> class_names;
  std::vector<double> mean;  // [D] of the latents that training draws
  std::vector<double> std;   // [D] sqrt(var(mean) + mean(exp(logvar)))
  int64_t count = 0;
  bool complete = false;
};

template <class Visitor>
void visit_fields(StoreInfo& c, Visitor&& visit) {
  visit("format_version", c.format_version);
  visit("kind", c.kind);
  visit("dtype", c.dtype);
  visit("grid_shapes", c.grid_shapes);
  visit("codec", c.codec);
  visit("preprocessing", c.preprocessing);
  visit("source", c.source);
  visit("recipe", c.recipe);
  visit("class_names", c.class_names);
  visit("mean", c.mean);
  visit("std", c.std);
  visit("count", c.count);
  visit("complete", c.complete);
}

/// Rows on their way into or out of a store; all of one grid shape.
struct StoreRows {
  LatentGrid grid;           // [N,D,h,w] float
  at::Tensor labels;         // [N] int64, -1 where unknown
  at::Tensor indices;        // [N] int64, position in the source
  std::vector<std::string> names;
  std::vector<std::array<int32_t, 2>> sizes;  // original height, width
  std::vector<uint64_t> hashes;               // of the source images
};

/// Writes a store, or goes on with one that was broken off. Shards are whole or
/// not there; a kill loses at most the shard in progress.
class StoreWriter {
 public:
  /// Throws ConfigError if `folder` holds a store of another codec, source,
  /// preprocessing or dtype (naming the difference), a complete one, or if another
  /// process is writing there.
  StoreWriter(const std::filesystem::path& folder, const StoreInfo& info,
              int64_t rows_per_shard = 8192);
  ~StoreWriter();

  /// Which indices of the source [0, count) earlier runs have stored.
  std::vector<bool> stored(int64_t count) const;
  int64_t num_stored() const;

  void append(const StoreRows& rows);

  /// Writes what is left and marks the store complete.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Reads a store through mapped memory; rows are numbered shard by shard.
class StoreReader {
 public:
  /// Throws ConfigError if there is no store, DataError if it is damaged or of a
  /// newer format. `allow_incomplete`: for a store whose encode was broken off.
  explicit StoreReader(const std::filesystem::path& folder,
                       bool allow_incomplete = false);
  ~StoreReader();

  const StoreInfo& info() const;
  int64_t size() const;

  /// Rows that share one grid shape, per bucket in the order of info().grid_shapes.
  const std::vector<std::vector<int64_t>>& buckets() const;

  /// Latents, labels and indices of `rows` (int64 [N], all of one bucket), as fp32.
  StoreRows gather(const at::Tensor& rows) const;

  /// The same with names, sizes and hashes.
  StoreRows read(const at::Tensor& rows) const;

  /// Bytes of all shards on disk.
  int64_t stored_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What `verify` found; `problems` is empty for a sound store.
struct StoreReport {
  int64_t num_shards = 0;
  int64_t num_rows = 0;
  std::vector<std::string> problems;
};

/// Checks hashes, counts, shapes and that no index is missing or doubled. Never
/// throws for damage: it goes into `problems`.
StoreReport verify_store(const std::filesystem::path& folder);

}  // namespace calotype
