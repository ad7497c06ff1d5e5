#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/codec_record.h"
#include "core/config.h"
#include "core/latent_grid.h"
#include "core/preview_map.h"

// The latent store: a folder of write-once HDF5 shards (docs/latent_store.md).
namespace calotype {

/// What is written; all from 1 on are read.
inline constexpr int64_t kStoreFormatVersion = 2;

/// store.json: everything that one must know to use the latents.
struct StoreInfo {
  int64_t format_version = kStoreFormatVersion;
  std::string kind = "moments";  // moments (mean and logvar), latents, tokens
  std::string dtype = "fp32";    // fp32, fp16, bf16; tokens: uint8, 16, 32
  // How tokens lie in a shard: none (as numbers), bits (as many as a code
  // needs, row by row) or entropy (range-coded; a shard is decoded when it is
  // first used, and stays in memory).
  std::string packing = "none";
  // Whether each row has the latents of its mirror image too, which are not
  // those of the image mirrored.
  bool flips = false;
  std::vector<std::vector<int64_t>> grid_shapes;  // [D,h,w] of each bucket
  CodecRecord codec;
  Json preprocessing = Json::object();  // resize, crop, channels
  Json source = Json::object();         // spec, fingerprint and its kind, count
  Json recipe = Json::object();  // how latents were drawn, where they were
  std::vector<std::string> class_names;
  std::vector<double> mean;  // [D] of the latents that training draws, mirror
                             // images among them; tokens: empty, as std
  std::vector<double> std;   // [D] sqrt(var(mean) + mean(exp(logvar)))
  std::optional<PreviewMap> preview;  // from latents to small images
  int64_t count = 0;
  bool complete = false;

  // Kept free in version 2 for what later programs will store; another value
  // than these is refused by name.
  std::string precision = "fp32";    // what the codec computed in: fp32, bf16
  Json scales;                       // of numbers stored as int8
  Json part_plan;                    // which process writes which rows
  Json tile_plan;                    // of images that are encoded in tiles
  std::vector<std::string> columns;  // more numbers of each image
};

template <class Visitor>
void visit_fields(StoreInfo& c, Visitor&& visit) {
  visit("format_version", c.format_version);
  visit("kind", c.kind);
  visit("dtype", c.dtype);
  visit("packing", c.packing);
  visit("flips", c.flips);
  visit("grid_shapes", c.grid_shapes);
  visit("codec", c.codec);
  visit("preprocessing", c.preprocessing);
  visit("source", c.source);
  visit("recipe", c.recipe);
  visit("class_names", c.class_names);
  visit("mean", c.mean);
  visit("std", c.std);
  visit("preview", c.preview);
  visit("count", c.count);
  visit("complete", c.complete);
  if (c.format_version < 2) return;
  visit("precision", c.precision);
  visit("scales", c.scales);
  visit("part_plan", c.part_plan);
  visit("tile_plan", c.tile_plan);
  visit("columns", c.columns);
}

/// The smallest type that holds tokens in [0, num_codes).
std::string token_dtype(int64_t num_codes);

/// Rows on their way into or out of a store; all of one grid shape.
struct StoreRows {
  LatentGrid grid;     // [N,D,h,w] float; tokens: undefined
  LatentGrid flipped;  // the same of the mirror images, if info.flips
  at::Tensor tokens;   // [N,L,h,w] int64 of kind tokens, otherwise undefined
  at::Tensor labels;   // [N] int64, -1 where unknown
  at::Tensor indices;  // [N] int64, position in the source
  std::vector<std::string> names;
  std::vector<std::array<int32_t, 2>> sizes;  // original height, width
  std::vector<uint64_t> hashes;               // of the source images
};

/// One row without its latents, as StoreRows has it.
struct RowFacts {
  std::string name;
  std::array<int32_t, 2> size{};  // original height, width
  uint64_t hash = 0;              // of the source image
  int64_t label = -1;
  int64_t index = 0;
};

/// Writes a store, or goes on with one that was broken off. Shards are whole or
/// not there; a kill loses at most the shards in progress, one per grid shape.
/// If the rows come in the same order, a store that was broken off and resumed
/// is the same, byte for byte, as one that was not. What an older program began
/// is finished in its format version.
class StoreWriter {
 public:
  /// Shards of earlier runs that are missing or damaged count as never written.
  /// Throws ConfigError if `folder` holds a store of another codec, source,
  /// preprocessing or dtype (naming the difference), a complete and sound one,
  /// or if another process is writing there; DataError if its store.json is
  /// damaged or of a newer format. `info`: shapes, statistics and counts are
  /// found out here and need not be set.
  StoreWriter(const std::filesystem::path& folder, const StoreInfo& info,
              int64_t rows_per_shard = 8192);
  ~StoreWriter();

  /// Which indices of the source [0, count) are stored, by earlier runs or this
  /// one.
  std::vector<bool> stored(int64_t count) const;
  int64_t num_stored() const;

  /// Takes rows of one grid shape; all shapes of a store have the same D.
  /// Throws ShapeError if fields do not fit each other or an index is there
  /// already, DataError that names the image if a moment is not finite,
  /// ConfigError if one is too large for the dtype; then none of `rows` is
  /// taken. Throws ConfigError if the disk is full; finished shards stay, and a
  /// later run goes on.
  void append(const StoreRows& rows);

  /// All rows of indices below `end` are there: those that wait are written,
  /// and no later one shares a shard with them. A store whose images come in
  /// blocks is the same, byte for byte, whoever wrote which block
  /// (store/store_parts.h).
  void end_block(int64_t end);

  /// Writes the rows that wait for a full shard, so that a reader sees all of
  /// them; only finish() may follow.
  void write_rest();

  /// The same, and marks the store complete. `preview`: kept in store.json.
  void finish(const std::optional<PreviewMap>& preview = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Reads a store through mapped memory; rows are numbered shard by shard. All
/// functions may be called from several threads at once. The shards must not be
/// truncated meanwhile. Opening checks sizes, headers, indices, labels and
/// image sizes; only check_hashes() and verify_store read everything and would
/// see a flipped bit among the latents. What can be seen on the way is told by
/// gather() and read().
class StoreReader {
 public:
  /// `path`: a store's folder, or one shard by itself: info() then has no
  /// statistics, and tells that shard's count. Throws ConfigError if there is
  /// no store or it is not complete, DataError if it is damaged or of a newer
  /// format. `allow_incomplete`: for a store whose encode was broken off;
  /// info() then tells the shapes, the count and the statistics of what is
  /// there.
  explicit StoreReader(const std::filesystem::path& path,
                       bool allow_incomplete = false);
  ~StoreReader();

  const std::filesystem::path& path() const;  // as it was opened
  const StoreInfo& info() const;
  int64_t size() const;

  /// Rows that share one grid shape, per bucket in the order of
  /// info().grid_shapes.
  const std::vector<std::vector<int64_t>>& buckets() const;

  /// Position in the source of each row.
  std::vector<int64_t> indices() const;

  /// Name of each row.
  std::vector<std::string> names() const;
  /// Original height and width of each row's image; 0 where there was none.
  std::vector<std::array<int32_t, 2>> sizes() const;
  /// What is known of one row, `row` in [0, size()), beside its latents.
  RowFacts facts(int64_t row) const;

  /// Latents (as fp32) or tokens, labels and indices of `rows` (int64 [N] in
  /// [0, size()), all of one bucket). `flipped` (bool [N]; undefined: none of
  /// them): which rows' latents are those of the mirror image; needs
  /// info().flips. Throws ShapeError; DataError for a token outside the
  /// codebook, and for a damaged shard of range-coded tokens.
  StoreRows gather(const at::Tensor& rows,
                   const at::Tensor& flipped = {}) const;

  /// The same with names, sizes and hashes.
  StoreRows read(const at::Tensor& rows, const at::Tensor& flipped = {}) const;

  /// Bytes of all shards on disk.
  int64_t stored_bytes() const;

  /// Of each shard, 16 hex digits of what its rows are: of its arrays alone, or
  /// of the whole file in a store of version 1.
  std::vector<std::string> row_hashes() const;

  /// Reads all shards. Throws DataError for one that is not what its line says.
  void check_hashes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What `verify` found; `problems` is empty for a sound store.
struct StoreReport {
  int64_t num_shards = 0;
  int64_t num_rows = 0;
  bool complete = false;
  std::vector<std::string> problems;
  std::vector<std::string>
      notes;  // worth knowing: skipped images, foreign files
};

/// Reads everything: hashes, headers, counts, shapes, values, statistics, and
/// that no index is missing or doubled. Never throws for damage: it goes into
/// `problems`. Throws ConfigError if `folder` holds nothing of a store,
/// bad_alloc if memory does not do. A file made to crash HDF5 could do so here:
/// run it in a child process for files of strangers.
StoreReport verify_store(const std::filesystem::path& folder);

}  // namespace calotype
