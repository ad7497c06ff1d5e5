#include "store/store_parts.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/json_difference.h"
#include "store/row_buckets.h"
#include "store/shard_file.h"
#include "store/shard_list.h"
#include "store/store_info.h"
#include "store/store_rows.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolder = "parts";
constexpr int64_t kPlanVersion = 1;

std::string block_prefix(int64_t block) {
  return fmt::format("block-{:07}-", block);
}

/// What a block's list says of one shard: its line, of which the file's name is
/// that which it will have, and where it lies.
struct BlockShard {
  fs::path path;
  ShardEntry entry;
};

/// A list is of one writer, whose shards have its name and a number.
std::optional<std::vector<BlockShard>> read_list(const fs::path& list) {
  const auto text = read_text_file(list);
  std::vector<BlockShard> shards;
  try {
    const auto json = parse_json(text, list.string());
    for (const auto& item : json.at("shards")) {
      BlockShard shard;
      read_config(item, shard.entry, list.string());
      shard.path = list.parent_path() /
                   fmt::format("{}-{}.h5", list.stem().string(), shards.size());
      shards.push_back(std::move(shard));
    }
  } catch (const std::runtime_error&) {  // of a torn list
    return {};
  } catch (const Json::exception&) {
    return {};
  }
  return shards;
}

/// Lists of each block, by their names: there is more than one where two
/// processes did it, or one anew.
std::multimap<int64_t, fs::path> lists_in(const fs::path& folder) {
  std::multimap<int64_t, fs::path> lists;
  if (!fs::exists(folder)) return lists;
  std::vector<fs::path> files;
  for (const auto& file : fs::directory_iterator(folder))
    if (file.path().extension() == ".json" &&
        file.path().filename().string().starts_with("block-"))
      files.push_back(file.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    const auto name = file.filename().string();
    const auto block = std::strtoll(name.c_str() + 6, nullptr, 10);
    if (name.starts_with(block_prefix(block))) lists.emplace(block, file);
  }
  return lists;
}

bool has_size(const fs::path& file, int64_t bytes) {
  std::error_code ignored;
  return fs::file_size(file, ignored) == uintmax_t(bytes);
}

/// Whether the file is the shard that the line speaks of, to the last bit.
bool is_sound(const fs::path& file, const ShardEntry& entry) {
  if (!has_size(file, entry.bytes)) return false;
  try {
    return ShardFile(file, &entry).hash() == entry.hash;
  } catch (const std::runtime_error&) {
    return false;
  }
}

StoreInfo read_identity(const fs::path& file) {
  return parse_store_info(read_text_file(file), file.string());
}

}  // namespace

Slice PartPlan::images_of(int64_t block) const {
  return {block * images_per_block,
          std::min(num_images, (block + 1) * images_per_block)};
}

Slice PartPlan::blocks_of(int64_t part) const {
  return slice_of(num_blocks(), parts, part);
}

int64_t PartPlan::part_of(int64_t block) const {
  int64_t part = 0;
  while (blocks_of(part).end <= block) ++part;
  return part;
}

std::optional<PartPlan> find_part_plan(const fs::path& store) {
  const auto file = store / kFolder / "plan.json";
  if (!fs::exists(file)) return {};
  PartPlan plan;
  try {
    const auto json = parse_json(read_text_file(file), file.string());
    const auto version = json.value("format_version", int64_t{0});
    if (version > kPlanVersion)
      throw DataError(fmt::format(
          "{}: format_version {} is newer than {}, which this calotype reads",
          file.string(), version, kPlanVersion));
    read_config(json, plan, file.string());
  } catch (const ConfigError& error) {
    throw DataError(error.what());
  }
  if (plan.parts < 1 || plan.num_images < 0 || plan.images_per_block < 1 ||
      plan.rows_per_shard < 1)
    throw DataError(file.string() + ": is no plan of parts");
  return plan;
}

StoreParts::StoreParts(const fs::path& store, const StoreInfo& wanted,
                       const PartPlan& plan)
    : store_(store), folder_(store / kFolder), plan_(plan) {
  make_folder(store);
  const auto identity = identity_of(wanted);
  const auto info_file = store / "store.json";
  if (!find_part_plan(store) && !fs::exists(info_file)) {
    for (const auto& file : fs::directory_iterator(store))
      if (is_store_file(file.path().filename().string()))
        throw ConfigError(fmt::format(
            "{}: holds {} but no store.json; delete the folder to start anew",
            store.string(), file.path().filename().string()));
    make_folder(folder_);
    write_file_once(folder_ / "plan.json", json_text(write_config(plan), 2));
  }
  // The plan is there before: a store without one is of one process.
  if (!fs::exists(info_file))
    write_file_once(info_file, store_info_text(identity));
  const auto found = read_identity(info_file);
  if (const auto difference = first_difference(found, identity);
      !difference.empty())
    throw ConfigError(
        fmt::format("{}: is another store: {}; delete the folder to start anew",
                    store.string(), difference));
  const auto planned = find_part_plan(store);
  if (!planned)
    throw ConfigError(fmt::format(
        "{}: was begun by one process; go on without --part, or delete the "
        "folder to start anew",
        store.string()));
  if (const auto difference =
          difference_text(write_config(*planned), write_config(plan));
      !difference.empty())
    throw ConfigError(fmt::format(
        "{}: was begun in other parts ({}); say the same, or delete the folder "
        "to start anew",
        store.string(), difference));
}

/// A block whose shards lie in the store already, since gathering was broken
/// off, is there too; gather() looks closer.
bool StoreParts::is_there(const fs::path& list) const {
  const auto shards = read_list(list);
  if (!shards) return false;
  const bool gathering = fs::exists(store_ / shard_name(0));
  return gathering || std::ranges::all_of(*shards, [](const auto& shard) {
           return has_size(shard.path, shard.entry.bytes);
         });
}

std::set<int64_t> StoreParts::done() const {
  std::set<int64_t> found;
  for (const auto& [block, list] : lists_in(folder_))
    if (!found.contains(block) && is_there(list)) found.insert(block);
  return found;
}

std::vector<int64_t> StoreParts::missing() const {
  const auto found = done();
  std::set<int64_t> parts;
  for (int64_t block = 0; block < plan_.num_blocks(); ++block)
    if (!found.contains(block)) parts.insert(plan_.part_of(block));
  return {parts.begin(), parts.end()};
}

/// The block's shards, with numbers from `number` on, in their places; nothing
/// if they are not what the list says.
std::optional<std::vector<ShardEntry>> StoreParts::moved(const fs::path& list,
                                                         int64_t number) const {
  const auto shards = read_list(list);
  if (!shards) return {};
  std::vector<ShardEntry> entries;
  for (const auto& [path, line] : *shards) {
    auto entry = line;
    entry.file = shard_name(number + int64_t(entries.size()));
    const auto place = store_ / entry.file;
    std::error_code not_moved;  // by this process: another one did
    const bool was_sound = is_sound(path, entry);
    if (was_sound) fs::rename(path, place, not_moved);
    if ((!was_sound || not_moved) && !is_sound(place, entry)) return {};
    entries.push_back(std::move(entry));
  }
  return entries;
}

int64_t StoreParts::gather() {
  std::vector<ShardEntry> entries;
  const auto lists = lists_in(folder_);
  for (int64_t block = 0; block < plan_.num_blocks(); ++block) {
    std::optional<std::vector<ShardEntry>> found;
    const auto [begin, end] = lists.equal_range(block);
    for (auto list = begin; list != end && !found; ++list) {
      found = moved(list->second, int64_t(entries.size()));
      if (!found) fs::remove(list->second);
    }
    if (!found)
      throw DataError(fmt::format(
          "{}: what was written of images {} to {} is damaged or gone; part {} "
          "is to be encoded again",
          store_.string(), plan_.images_of(block).begin,
          plan_.images_of(block).end - 1, plan_.part_of(block)));
    entries.insert(entries.end(), found->begin(), found->end());
  }
  sync_folder(store_);
  write_store_file(store_, "shards.jsonl", shard_list_text(entries));
  return std::accumulate(
      entries.begin(), entries.end(), int64_t{0},
      [](int64_t sum, const auto& entry) { return sum + entry.count; });
}

void remove_parts(const fs::path& store) {
  std::error_code ignored;  // another one does it too, perhaps
  fs::remove_all(store / kFolder, ignored);
}

void write_store_file(const fs::path& store, const std::string& name,
                      std::string_view text) {
  const auto folder = store / kFolder;
  if (!fs::exists(folder)) return write_file_atomic(store / name, text);
  const auto own = folder / (name + "-" + unique_token());
  write_file_atomic(own, text);
  std::error_code error;
  fs::rename(own, store / name, error);
  if (error)
    throw ConfigError(fmt::format("{}: cannot rename: {}",
                                  (store / name).string(), error.message()));
  sync_folder(store);
}

struct BlockWriter::Impl {
  Impl(const fs::path& store, const StoreInfo& wanted, const PartPlan& plan,
       int64_t block)
      : folder(store / kFolder),
        name(block_prefix(block) + unique_token()),
        info(identity_of(wanted)),
        buckets(plan.rows_per_shard) {}

  void write(const StoreRows& rows) {
    auto shard = make_shard(
        info, rows, fmt::format("{}-{}.h5", name, list["shards"].size()));
    write_file_atomic(folder / shard.entry.file, shard.bytes);
    list["shards"].push_back(write_config(shard.entry));
    auto& first = first_of[shard.entry.grid_shape];
    first =
        std::min(first.value_or(shard.entry.min_index), shard.entry.min_index);
  }

  /// The smallest index of a grid shape's rows, written or waiting.
  int64_t first_index(const std::vector<int64_t>& grid_shape,
                      int64_t waiting) const {
    const auto found = first_of.find(grid_shape);
    return found == first_of.end() ? waiting
                                   : std::min(*found->second, waiting);
  }

  fs::path folder;
  std::string name;
  StoreInfo info;
  RowBuckets buckets;
  std::map<std::vector<int64_t>, std::optional<int64_t>> first_of;
  Json list = {{"shards", Json::array()}};
};

BlockWriter::BlockWriter(const fs::path& store, const StoreInfo& info,
                         const PartPlan& plan, int64_t block)
    : impl_(std::make_unique<Impl>(store, info, plan, block)) {}
BlockWriter::~BlockWriter() = default;

void BlockWriter::append(const StoreRows& rows) {
  impl_->buckets.add(to_stored(rows, impl_->info),
                     [&](const StoreRows& full) { impl_->write(full); });
}

void BlockWriter::finish() {
  impl_->buckets.write_rest([&](const StoreRows& rows) { impl_->write(rows); },
                            [&](const auto& grid_shape, int64_t waiting) {
                              return impl_->first_index(grid_shape, waiting);
                            });
  write_file_atomic(impl_->folder / (impl_->name + ".json"),
                    json_text(impl_->list));
}

}  // namespace calotype
