#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/slices.h"
#include "store/latent_store.h"
#include "store/shard_list.h"

// A store that several processes write, none of which waits for another: job
// arrays on a shared file system (ADR 7). The index of the set is cut into
// blocks; each part of the work is some blocks, one after the other. A block's
// shards are written once, under names that no other process has, and count
// when the block's list is there. So a lock, which does nothing on many shared
// file systems, is not needed: who does a block again writes the same rows once
// more. Gathered, the blocks are the store that one process writes, byte for
// byte.
namespace calotype {

/// How the index of a set is cut: kept in STORE/parts/plan.json.
struct PartPlan {
  int64_t format_version = 1;
  int64_t parts = 1;             // N
  int64_t first = 0;             // what the launcher calls the first of them
  int64_t num_images = 0;        // of the set
  int64_t images_per_block = 0;  // the last may have fewer
  int64_t rows_per_shard = 0;

  int64_t num_blocks() const {
    return (num_images + images_per_block - 1) / images_per_block;
  }
  Slice images_of(int64_t block) const;  // of the index
  Slice blocks_of(int64_t part) const;
  int64_t part_of(int64_t block) const;
};

template <class Visitor>
void visit_fields(PartPlan& c, Visitor&& visit) {
  visit("format_version", c.format_version);
  visit("parts", c.parts);
  visit("first", c.first);
  visit("num_images", c.num_images);
  visit("images_per_block", c.images_per_block);
  visit("rows_per_shard", c.rows_per_shard);
}

/// The plan of a store that is written in parts; nothing for others. Throws
/// DataError if it is damaged or of a newer version.
std::optional<PartPlan> find_part_plan(const std::filesystem::path& store);

class StoreParts {
 public:
  /// Goes on with the parts of `store`, or begins them: the first process
  /// writes the plan. Throws ConfigError where they are of another set, codec
  /// or setting, or in another number (naming the difference).
  StoreParts(const std::filesystem::path& store, const StoreInfo& wanted,
             const PartPlan& plan);

  const PartPlan& plan() const { return plan_; }

  /// Blocks of which a list is there, and its files with their sizes.
  std::set<int64_t> done() const;

  /// Numbers of the parts of which a block is missing.
  std::vector<int64_t> missing() const;

  /// Makes shards and shards.jsonl of the store out of the blocks, all of which
  /// are there; what one that was killed has done already is kept. Every file
  /// is read and compared with its line. Throws DataError for a block that is
  /// not what its list says, which is missing from then on. Returns the rows.
  int64_t gather();

 private:
  bool is_there(const std::filesystem::path& list) const;
  std::optional<std::vector<ShardEntry>> moved(
      const std::filesystem::path& list, int64_t number) const;

  std::filesystem::path store_, folder_;
  PartPlan plan_;
};

/// Removes what StoreParts::gather() has left, once the store is complete.
void remove_parts(const std::filesystem::path& store);

/// Writes `text` over the file `name` of a store. Of one that is written in
/// parts, several processes may do so at the same time, all with the same text:
/// each has a file of its own on the way, which needs no lock.
void write_store_file(const std::filesystem::path& store,
                      const std::string& name, std::string_view text);

/// Writes one block; what is not finished is as if it had never begun.
class BlockWriter {
 public:
  BlockWriter(const std::filesystem::path& store, const StoreInfo& info,
              const PartPlan& plan, int64_t block);
  ~BlockWriter();

  /// Throws as StoreWriter::append does.
  void append(const StoreRows& rows);

  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace calotype
