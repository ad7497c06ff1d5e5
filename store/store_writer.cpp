#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/check.h"
#include "core/files.h"
#include "core/profile.h"
#include "store/latent_store.h"
#include "store/row_buckets.h"
#include "store/shard_file.h"
#include "store/shard_list.h"
#include "store/store_info.h"
#include "store/store_parts.h"
#include "store/store_rows.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxIndex = int64_t{1} << 33;  // 1 GiB of bits

fs::path made(const fs::path& folder) {
  make_folder(folder);
  return folder;
}

}  // namespace

struct StoreWriter::Impl {
  Impl(const fs::path& where, const StoreInfo& wanted, int64_t rows)
      : folder(made(where)), lock(folder), buckets(rows) {
    if (fs::exists(folder / "store.json")) {
      go_on(wanted);
    } else {
      begin(wanted);
    }
  }

  void begin(const StoreInfo& wanted) {
    for (const auto& file : fs::directory_iterator(folder)) {
      const auto name = file.path().filename().string();
      if (is_store_file(name))
        throw ConfigError(
            fmt::format("{}: holds {} but no store.json; delete the "
                        "folder to start anew",
                        folder.string(), name));
    }
    info = identity_of(wanted);
    write_file_atomic(folder / "store.json", store_info_text(info));
  }

  void go_on(StoreInfo wanted) {
    const auto path = folder / "store.json";
    const auto found = parse_store_info(read_text_file(path), path.string());
    wanted.format_version = found.format_version;
    if (const auto difference = first_difference(found, wanted);
        !difference.empty())
      throw ConfigError(fmt::format(
          "{}: is another store: {}; delete the folder to start anew",
          folder.string(), difference));
    const auto list = read_shard_list(folder);
    for (const auto& entry : list.entries) keep_if_sound(entry, found);
    const bool whole = list.problems.empty() &&
                       entries.size() == list.entries.size() &&
                       num_stored == found.count;
    if (found.complete && whole)
      throw ConfigError(
          fmt::format("{}: is complete, with {} rows; delete the folder "
                      "to start anew",
                      folder.string(), num_stored));
    info = identity_of(found);
    if (found.complete) write_file_atomic(path, store_info_text(info));
    write_list();
    for (const auto& file : fs::directory_iterator(folder))
      if (is_left_over(file.path().filename().string())) {
        std::error_code ignored;  // what stays is written over, or harmless
        fs::remove(file.path(), ignored);
      }
  }

  /// What a kill leaves behind: temporary files, and shards that no line speaks
  /// of.
  bool is_left_over(const std::string& name) const {
    if (is_left_by_a_kill(name)) return true;
    const auto number = shard_number(name);
    return number && !numbers.contains(*number);
  }

  void keep_if_sound(const ShardEntry& entry, const StoreInfo& found) {
    try {
      const ShardFile shard(folder / entry.file, &entry);
      if (shard.hash() != entry.hash ||
          !first_difference(found, shard.info()).empty())
        return;
      std::vector<int64_t> indices;
      for (int64_t row = 0; row < shard.count(); ++row)
        indices.push_back(shard.index(row));
      mark(indices);
      keep(entry);
    } catch (const DataError&) {   // damaged
    } catch (const ShapeError&) {  // its rows are in another shard
    } catch (const ConfigError&) {
      if (fs::exists(folder / entry.file))
        throw;  // not gone: it cannot be read
    }
  }

  /// All of `indices` become stored, or none. Throws ShapeError.
  void mark(const std::vector<int64_t>& indices) {
    size_t taken = 0;
    const auto take_back = [&] {
      while (taken > 0) seen[size_t(indices[--taken])] = false;
    };
    for (const auto index : indices) {
      const bool in_range = index >= 0 && index < kMaxIndex;
      if (in_range && size_t(index) >= seen.size())
        seen.resize(size_t(index) + 1);
      if (!in_range || seen[size_t(index)]) {
        take_back();
        throw ShapeError(fmt::format(
            "StoreWriter: index {} {}", index,
            in_range ? "is stored already" : "is not in [0, 2^33)"));
      }
      seen[size_t(index)] = true;
      ++taken;
    }
    num_stored += int64_t(indices.size());
  }

  /// All shapes of a store have the same number of channels.
  void expect_channels(int64_t D) {
    if (num_channels == 0)
      num_channels = entries.empty() ? D : entries[0].grid_shape[0];
    if (D != num_channels)
      throw ShapeError(
          fmt::format("StoreWriter: latents must have {} channels, got {}",
                      num_channels, D));
  }

  void append(const StoreRows& rows) {
    const ProfileZone zone("pack rows");
    if (finished) throw ShapeError("StoreWriter: the store is finished");
    auto stored = to_stored(rows, info);
    const auto count = stored.indices.size(0);
    if (count == 0) return;
    expect_channels(grid_values(stored).size(1));
    const auto* indices = stored.indices.data_ptr<int64_t>();
    mark({indices, indices + count});
    buckets.add(std::move(stored),
                [&](const StoreRows& full) { write_shard(full); });
  }

  void write_shard(const StoreRows& rows) {
    const ProfileZone zone("write shard");
    auto shard = make_shard(info, rows, shard_name(free_number()));
    write_file_atomic(folder / shard.entry.file, shard.bytes);
    append_line_synced(folder / "shards.jsonl", shard_line(shard.entry));
    keep(std::move(shard.entry));
  }

  void keep(ShardEntry entry) {
    numbers.insert(*shard_number(entry.file));
    entries.push_back(std::move(entry));
  }

  /// A shard that was damaged leaves its number to the one that replaces it.
  int64_t free_number() const {
    int64_t number = 0;
    for (const auto taken : numbers) {
      if (taken != number) break;
      ++number;
    }
    return number;
  }

  /// The smallest index of a grid shape's rows in the block, stored or waiting:
  /// the same after a resume.
  int64_t first_index(const std::vector<int64_t>& grid_shape,
                      int64_t waiting) const {
    auto first = waiting;
    for (const auto& entry : entries)
      if (entry.grid_shape == grid_shape && entry.min_index >= block_begin)
        first = std::min(first, entry.min_index);
    return first;
  }

  /// Makes shards.jsonl say what `entries` say, in the order of the numbers.
  void write_list() {
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
      return shard_number(a.file) < shard_number(b.file);
    });
    const auto path = folder / "shards.jsonl";
    const auto text = shard_list_text(entries);
    if (!fs::exists(path) || read_text_file(path) != text)
      write_file_atomic(path, text);
  }

  void end_block(int64_t end) {
    if (finished) throw ShapeError("StoreWriter: the store is finished");
    buckets.write_rest([&](const StoreRows& rows) { write_shard(rows); },
                       [&](const auto& grid_shape, int64_t waiting) {
                         return first_index(grid_shape, waiting);
                       });
    block_begin = end;
  }

  void write_rest() {
    end_block(block_begin);
    write_list();
  }

  void finish(const std::optional<PreviewMap>& preview) {
    write_rest();
    auto whole = info;
    whole.preview = preview;
    whole.grid_shapes = grid_shapes_of(entries);
    whole.count = num_stored;
    whole.complete = true;
    set_normalisation(entries, whole);
    write_store_file(folder, "store.json", store_info_text(whole));
    finished = true;
  }

  fs::path folder;
  FolderLock lock;
  RowBuckets buckets;
  StoreInfo info;  // as it was before the first row
  std::vector<ShardEntry> entries;
  std::set<int64_t> numbers;  // of the shards in `entries`
  std::vector<bool> seen;     // by index
  int64_t num_channels = 0;   // once it is known
  int64_t block_begin = 0;    // the first index of the block in progress
  int64_t num_stored = 0;
  bool finished = false;
};

StoreWriter::StoreWriter(const fs::path& folder, const StoreInfo& info,
                         int64_t rows_per_shard) {
  check_store_info(info);
  check_range("latent store", "rows_per_shard", double(rows_per_shard), 1,
              1 << 24);
  impl_ = std::make_unique<Impl>(folder, info, rows_per_shard);
}

StoreWriter::~StoreWriter() = default;

std::vector<bool> StoreWriter::stored(int64_t count) const {
  auto stored = impl_->seen;
  stored.resize(size_t(count));
  return stored;
}

int64_t StoreWriter::num_stored() const {
  return impl_->num_stored;
}

void StoreWriter::append(const StoreRows& rows) {
  impl_->append(rows);
}

void StoreWriter::end_block(int64_t end) {
  impl_->end_block(end);
}

void StoreWriter::write_rest() {
  impl_->write_rest();
}

void StoreWriter::finish(const std::optional<PreviewMap>& preview) {
  impl_->finish(preview);
}

}  // namespace calotype
