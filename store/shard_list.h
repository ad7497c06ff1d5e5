#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "store/latent_store.h"

// shards.jsonl: the shards of a store that are whole, one line each.
namespace calotype {

/// Per channel, in fp64, what the normalisation of the whole set needs.
struct ChannelSums {
  // Over the images, and over their mirror images where they are stored.
  std::vector<double> mean;         // [D] sum of the posterior means
  std::vector<double> mean_square;  // [D] sum of their squares
  std::vector<double> variance;     // [D] sum of exp(logvar), 0 without one

  bool operator==(const ChannelSums&) const = default;
};

template <class Visitor>
void visit_fields(ChannelSums& c, Visitor&& visit) {
  visit("mean", c.mean);
  visit("mean_square", c.mean_square);
  visit("variance", c.variance);
}

struct ShardEntry {
  std::string file;                 // shard-00000.h5
  std::vector<int64_t> grid_shape;  // [D,h,w]
  int64_t count = 0;                // rows
  int64_t bytes = 0;                // of the file
  std::string hash;                 // XXH3 of the file, 16 hex digits
  int64_t header_bytes = 0;         // before the first array
  std::string header_hash;          // XXH3 of those
  int64_t min_index = 0;            // of the images in the source
  int64_t max_index = 0;
  ChannelSums sums;
  std::string rows_hash;  // XXH3 of what follows the header; version 1: empty
  Json scales, part;      // null: kept free, see StoreInfo
};

template <class Visitor>
void visit_fields(ShardEntry& c, Visitor&& visit) {
  visit("file", c.file);
  visit("grid_shape", c.grid_shape);
  visit("count", c.count);
  visit("bytes", c.bytes);
  visit("hash", c.hash);
  visit("header_bytes", c.header_bytes);
  visit("header_hash", c.header_hash);
  visit("min_index", c.min_index);
  visit("max_index", c.max_index);
  visit("sums", c.sums);
  visit("rows_hash", c.rows_hash);
  visit("scales", c.scales);
  visit("part", c.part);
}

struct ShardList {
  std::vector<ShardEntry> entries;  // by number of the shard
  std::vector<std::string>
      problems;       // lines that say nothing, shards named twice
  bool torn = false;  // the last line was broken off by a kill
};

/// An empty list if there is no such file.
ShardList read_shard_list(const std::filesystem::path& folder);

/// A line without its end: exact numbers, so that a resumed run adds the same
/// ones up.
std::string shard_line(const ShardEntry& entry);

/// The whole file.
std::string shard_list_text(const std::vector<ShardEntry>& entries);

/// shard-00012.h5 and back; nothing for other names.
std::string shard_name(int64_t number);
std::optional<int64_t> shard_number(const std::string& name);

/// store.json, shards.jsonl, or a shard.
bool is_store_file(const std::string& name);

/// Every grid shape once, in the order of its smallest index.
std::vector<std::vector<int64_t>> grid_shapes_of(
    std::vector<ShardEntry> entries);

/// Of the latents that training draws, per channel over all rows and positions,
/// those of mirror images included if info.flips: the mean of the means, and
/// the square root of the variance of the means plus the mean of the variances
/// (law of total variance). Fills info.mean and info.std.
void set_normalisation(const std::vector<ShardEntry>& entries, StoreInfo& info);

/// Whether a file of this name was on its way into a store when a process was
/// killed; earlier versions called them shard-00000.h5.tmp.
bool is_left_by_a_kill(const std::string& name);

}  // namespace calotype
