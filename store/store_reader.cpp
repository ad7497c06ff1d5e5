#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "core/files.h"
#include "core/parallel.h"
#include "store/latent_store.h"
#include "store/shard_file.h"
#include "store/shard_list.h"
#include "store/store_info.h"
#include "store/store_type.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kBytesPerTask =
    1 << 18;  // below this a thread costs more than it saves

/// A row's shard and its place there, and which of its latents are wanted.
struct Located {
  const ShardFile* shard;
  int64_t row;
  bool flipped;
};

/// [N] of bool as wanted, or null for none.
at::Tensor checked_flips(const at::Tensor& flipped, int64_t count,
                         const StoreInfo& info) {
  if (!flipped.defined()) return flipped;
  check_shape("StoreReader", "flipped", flipped, {count});
  if (flipped.scalar_type() != at::kBool)
    throw ShapeError("StoreReader: flipped must be bool");
  if (!info.flips && flipped.any().item<bool>())
    throw ShapeError("StoreReader: the store has no flips");
  return flipped.cpu().contiguous();
}

}  // namespace

struct StoreReader::Impl {
  Impl(const fs::path& path, bool allow_incomplete) : opened(path) {
    if (fs::is_regular_file(path)) {
      open_shard(path);
    } else {
      open_store(path, allow_incomplete);
    }
    for (int64_t row = 0; const auto& shard : shards) {
      first_rows.push_back(row);
      auto& bucket = buckets[bucket_of(shard)];
      for (int64_t i = 0; i < shard.count(); ++i) bucket.push_back(row++);
      num_rows = row;
    }
    refuse_doubled_indices();
  }

  /// Callers use indices as places.
  void refuse_doubled_indices() const {
    auto sorted = indices();
    std::ranges::sort(sorted);
    const auto twice = std::ranges::adjacent_find(sorted);
    if (twice != sorted.end())
      throw DataError(
          fmt::format("{}: two rows have index {}", opened.string(), *twice));
  }

  std::vector<int64_t> indices() const {
    std::vector<int64_t> indices;
    indices.reserve(size_t(num_rows));
    for (const auto& shard : shards)
      for (int64_t row = 0; row < shard.count(); ++row)
        indices.push_back(shard.index(row));
    return indices;
  }

  void open_shard(const fs::path& path) {
    const auto list = read_shard_list(path.parent_path());
    const auto entry = std::find_if(
        list.entries.begin(), list.entries.end(), [&](const auto& each) {
          return each.file == path.filename().string();
        });
    shards.emplace_back(path, entry == list.entries.end() ? nullptr : &*entry);
    entries = {entry == list.entries.end() ? ShardEntry() : *entry};
    info = shards[0].info();
    buckets.resize(1);
  }

  void open_store(const fs::path& folder, bool allow_incomplete) {
    const auto path = folder / "store.json";
    if (!fs::exists(path))
      throw ConfigError(fmt::format(
          "{}: no latent store here (store.json is missing){}", folder.string(),
          fs::exists(folder / "config.json") ? ", it is a model folder" : ""));
    info = parse_store_info(read_text_file(path), path.string());
    const auto list = read_shard_list(folder);
    if (!list.problems.empty()) throw DataError(list.problems[0]);
    entries = list.entries;
    if (info.complete) {
      check_complete(list, folder);
    } else if (allow_incomplete) {
      info.grid_shapes = grid_shapes_of(list.entries);
      set_normalisation(list.entries, info);
    } else {
      throw ConfigError(
          fmt::format("{}: the store is not complete; run the same encode "
                      "again to go on with it",
                      folder.string()));
    }
    shards.reserve(list.entries.size());
    for (const auto& entry : list.entries) {
      const auto& shard = shards.emplace_back(folder / entry.file, &entry);
      const auto difference = first_difference(info, shard.info());
      if (!difference.empty())
        throw DataError(fmt::format("{}: is of another store: {}",
                                    (folder / entry.file).string(),
                                    difference));
    }
    if (!info.complete) info.count = 0;
    for (const auto& entry : list.entries)
      if (!info.complete) info.count += entry.count;
    buckets.resize(info.grid_shapes.size());
  }

  void check_complete(const ShardList& list, const fs::path& folder) const {
    int64_t count = 0;
    for (const auto& entry : list.entries) count += entry.count;
    if (list.torn || count != info.count)
      throw DataError(
          fmt::format("{}: shards.jsonl lists {} rows, store.json {}",
                      folder.string(), count, info.count));
    if (grid_shapes_of(list.entries) != info.grid_shapes)
      throw DataError(
          fmt::format("{}: shards.jsonl and store.json list different grid "
                      "shapes",
                      folder.string()));
    const auto D = info.grid_shapes.empty() || info.kind == "tokens"
                       ? 0
                       : size_t(info.grid_shapes[0][0]);
    if (info.mean.size() != D || info.std.size() != D)
      throw DataError(
          fmt::format("{}: store.json must have mean and std of {} channels",
                      folder.string(), D));
  }

  size_t bucket_of(const ShardFile& shard) const {
    const auto& shapes = info.grid_shapes;
    return size_t(std::find(shapes.begin(), shapes.end(), shard.grid_shape()) -
                  shapes.begin());
  }

  /// The shard of a row, and the row's place there.
  std::pair<const ShardFile*, int64_t> place(int64_t row) const {
    if (row < 0 || row >= num_rows)
      throw ShapeError(fmt::format(
          "StoreReader: row must be in [0, {}), got {}", num_rows, row));
    const auto after =
        std::upper_bound(first_rows.begin(), first_rows.end(), row);
    const auto shard = size_t(after - first_rows.begin()) - 1;
    return {&shards[shard], row - first_rows[shard]};
  }

  std::vector<Located> locate(const at::Tensor& rows,
                              const at::Tensor& flipped) const {
    check_shape("StoreReader", "rows", rows, {-1});
    if (rows.scalar_type() != at::kLong)
      throw ShapeError("StoreReader: rows must be int64");
    const auto wanted = rows.cpu().contiguous();
    const auto* data = wanted.data_ptr<int64_t>();
    const auto flips = checked_flips(flipped, wanted.numel(), info);
    const auto* flip = flips.defined() ? flips.data_ptr<bool>() : nullptr;
    std::vector<Located> located;
    located.reserve(size_t(wanted.numel()));
    for (int64_t i = 0; i < wanted.numel(); ++i) {
      const auto [shard, row] = place(data[i]);
      located.push_back({shard, row, flip && flip[i]});
      if (shard->grid_shape() != located[0].shard->grid_shape())
        throw ShapeError(fmt::format(
            "StoreReader: rows must share one grid shape, got {} and {}",
            shape_text(located[0].shard->grid_shape()),
            shape_text(shard->grid_shape())));
    }
    if (located.empty())
      throw ShapeError("StoreReader: rows must not be empty");
    return located;
  }

  /// [N,D,h,w] as stored, each row as `copy_row` gives it.
  at::Tensor values(const std::vector<Located>& located,
                    void (ShardFile::*copy_row)(int64_t, uint8_t*, bool)
                        const) const {
    const auto& shape = located[0].shard->grid_shape();
    const auto n = int64_t(located.size());
    const auto row_bytes = located[0].shard->row_bytes();
    auto stored =
        at::empty({n, shape[0], shape[1], shape[2]}, stored_scalar(info.dtype));
    auto* out = static_cast<uint8_t*>(stored.data_ptr());
    parallel_for(0, n, grain_of(row_bytes, kBytesPerTask),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const auto& [shard, row, flipped] = located[size_t(i)];
                     (shard->*copy_row)(row, out + i * row_bytes, flipped);
                   }
                 });
    return stored;
  }

  /// A flipped bit may make a token that no codebook has.
  void check_tokens(const at::Tensor& tokens,
                    const std::vector<Located>& located) const {
    const auto num_codes = info.codec.num_codes();
    if (num_codes == 0) return;
    const auto bad = tokens.ge(num_codes);
    if (!bad.any().item<bool>()) return;
    const auto i = bad.flatten(1).any(1).nonzero()[0].item<int64_t>();
    const auto& [shard, row, flipped] = located[size_t(i)];
    throw DataError(fmt::format(
        "{}: image {} (row {}) has token {}, the codebook has {} codes; "
        "calotype verify tells what else is damaged",
        shard->path().string(), shard->name(row), row,
        tokens[i].max().item<int64_t>(), num_codes));
  }

  StoreRows gather(const std::vector<Located>& located) const {
    StoreRows rows;
    const auto grids = values(located, &ShardFile::copy_mean);
    if (info.kind == "tokens") {
      rows.tokens = tokens_from_bits(grids, info.dtype);
      check_tokens(rows.tokens, located);
    } else {
      rows.grid.mean = grids.to(at::kFloat);
    }
    if (info.kind == "moments")
      rows.grid.logvar =
          values(located, &ShardFile::copy_logvar).to(at::kFloat);
    const auto n = int64_t(located.size());
    rows.labels = at::empty({n}, at::kLong);
    rows.indices = at::empty({n}, at::kLong);
    auto* labels = rows.labels.data_ptr<int64_t>();
    auto* indices = rows.indices.data_ptr<int64_t>();
    for (const auto& [shard, row, flipped] : located) {
      *labels++ = shard->label(row);
      *indices++ = shard->index(row);
    }
    return rows;
  }

  fs::path opened;
  StoreInfo info;
  std::vector<ShardEntry> entries;  // of the shards; empty where none was told
  std::vector<ShardFile> shards;
  std::vector<int64_t> first_rows;  // of each shard
  std::vector<std::vector<int64_t>> buckets;
  int64_t num_rows = 0;
};

StoreReader::StoreReader(const fs::path& path, bool allow_incomplete)
    : impl_(std::make_unique<Impl>(path, allow_incomplete)) {}

StoreReader::~StoreReader() = default;

const fs::path& StoreReader::path() const {
  return impl_->opened;
}

const StoreInfo& StoreReader::info() const {
  return impl_->info;
}

int64_t StoreReader::size() const {
  return impl_->num_rows;
}

const std::vector<std::vector<int64_t>>& StoreReader::buckets() const {
  return impl_->buckets;
}

std::vector<int64_t> StoreReader::indices() const {
  return impl_->indices();
}

std::vector<std::array<int32_t, 2>> StoreReader::sizes() const {
  std::vector<std::array<int32_t, 2>> sizes;
  sizes.reserve(size_t(size()));
  for (const auto& shard : impl_->shards)
    for (int64_t row = 0; row < shard.count(); ++row)
      sizes.push_back(shard.size(row));
  return sizes;
}

std::vector<std::string> StoreReader::names() const {
  std::vector<std::string> names;
  names.reserve(size_t(size()));
  for (const auto& shard : impl_->shards)
    for (int64_t row = 0; row < shard.count(); ++row)
      names.push_back(shard.name(row));
  return names;
}

RowFacts StoreReader::facts(int64_t row) const {
  const auto [shard, at] = impl_->place(row);
  return {.name = shard->name(at),
          .size = shard->size(at),
          .hash = shard->source_hash(at),
          .label = shard->label(at),
          .index = shard->index(at)};
}

StoreRows StoreReader::gather(const at::Tensor& rows,
                              const at::Tensor& flipped) const {
  return impl_->gather(impl_->locate(rows, flipped));
}

StoreRows StoreReader::read(const at::Tensor& rows,
                            const at::Tensor& flipped) const {
  const auto located = impl_->locate(rows, flipped);
  auto read = impl_->gather(located);
  for (const auto& [shard, row, is_flipped] : located) {
    read.names.push_back(shard->name(row));
    read.sizes.push_back(shard->size(row));
    read.hashes.push_back(shard->source_hash(row));
  }
  return read;
}

int64_t StoreReader::stored_bytes() const {
  int64_t bytes = 0;
  for (const auto& shard : impl_->shards) bytes += shard.size_bytes();
  return bytes;
}

std::vector<std::string> StoreReader::row_hashes() const {
  std::vector<std::string> hashes;
  for (size_t i = 0; i < impl_->shards.size(); ++i) {
    const auto& entry = impl_->entries[i];
    const auto& told = entry.rows_hash.empty() ? entry.hash : entry.rows_hash;
    hashes.push_back(told.empty() ? impl_->shards[i].hash() : told);
  }
  return hashes;
}

void StoreReader::check_hashes() const {
  for (size_t i = 0; i < impl_->shards.size(); ++i) {
    const auto& shard = impl_->shards[i];
    const auto& expected = impl_->entries[i].hash;
    if (!expected.empty() && shard.hash() != expected)
      throw DataError(shard.path().string() + ": the rows are damaged");
  }
}

}  // namespace calotype
