#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <string_view>
#include <unordered_map>

#include "core/error.h"
#include "core/files.h"
#include "store/latent_store.h"
#include "store/shard_file.h"
#include "store/shard_list.h"
#include "store/store_info.h"
#include "store/store_rows.h"
#include "store/store_type.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

double numbers_of_channel(const LatentGrid& grid) {
  if (!grid.mean.defined()) return 0;
  return double(grid.mean.numel()) / double(grid.mean.size(1));
}

class Verification {
 public:
  explicit Verification(const fs::path& folder) : folder_(folder) {
    if (!fs::exists(folder / "store.json") &&
        !fs::exists(folder / "shards.jsonl"))
      throw ConfigError(
          fmt::format("{}: no latent store here", folder.string()));
    try_part([&] {
      const auto path = folder / "store.json";
      info_ = parse_store_info(read_text_file(path), path.string());
      report.complete = info_->complete;
    });
    ShardList list;
    try_part([&] { list = read_shard_list(folder); });
    for (const auto& problem : list.problems) add("{}", problem);
    for (const auto& entry : list.entries)
      try_part([&] { check_shard(entry); });
    if (info_) check_store(list);
    look_for_strangers(list);
  }

  StoreReport report;

 private:
  template <class... Args>
  void add(fmt::format_string<Args...> text, Args&&... args) {
    report.problems.push_back(fmt::format(text, std::forward<Args>(args)...));
  }

  /// Damage is what this is looking for.
  template <class Check>
  void try_part(Check&& check) {
    try {
      check();
    } catch (const std::bad_alloc&) {
      throw;  // says nothing of the store
    } catch (const std::exception& error) {
      if (is_out_of_memory(error)) throw std::bad_alloc();
      report.problems.push_back(error.what());
    }
  }

  void check_shard(const ShardEntry& entry) {
    ++report.num_shards;
    report.num_rows += entry.count;
    const auto where = (folder_ / entry.file).string();
    const ShardFile shard(folder_ / entry.file, &entry);
    if (const auto hash = shard.hash(); hash != entry.hash)
      return add("{}: the rows are damaged: hash is {}, expected {}", where,
                 hash, entry.hash);
    if (info_)
      if (const auto difference = first_difference(*info_, shard.info());
          !difference.empty())
        add("{}: is of another store: {}", where, difference);
    if (!entry.rows_hash.empty() &&
        entry.rows_hash != shard.rows_hash(entry.header_bytes))
      add("{}: rows_hash in shards.jsonl is not that of its rows", where);
    check_indices(shard, entry, where);

    if (info_ && info_->kind == "tokens") return check_tokens(shard, where);
    const auto is_finite = [](const at::Tensor& moment) {
      return !moment.defined() ||
             moment.to(at::kFloat).isfinite().all().item<bool>();
    };
    const LatentGrid grid{shard.mean(), shard.logvar()};
    const auto flipped = shard.flipped();
    if (!is_finite(grid.mean) || !is_finite(grid.logvar) ||
        !is_finite(flipped.mean) || !is_finite(flipped.logvar))
      add("{}: has values that are NaN or infinite", where);
    else if (!same_sums(channel_sums(grid, flipped), entry.sums,
                        numbers_of_channel(grid) + numbers_of_channel(flipped)))
      add("{}: its sums in shards.jsonl are not those of its rows", where);
  }

  void check_tokens(const ShardFile& shard, const std::string& where) {
    const auto num_codes = info_->codec.num_codes();
    const auto highest =
        tokens_from_bits(shard.mean(), info_->dtype).max().item<int64_t>();
    if (num_codes > 0 && highest >= num_codes)
      add("{}: has token {}, the codebook has {} codes", where, highest,
          num_codes);
  }

  void check_indices(const ShardFile& shard, const ShardEntry& entry,
                     const std::string& where) {
    int64_t lowest = shard.index(0), highest = lowest;
    for (int64_t row = 0; row < shard.count(); ++row) {
      const auto index = shard.index(row);
      lowest = std::min(lowest, index);
      highest = std::max(highest, index);
      const auto [first, is_new] = shard_of_.try_emplace(index, entry.file);
      if (!is_new)
        add("{}: row {} has index {}, which {} has too", where, row, index,
            first->second);
    }
    if (lowest != entry.min_index || highest != entry.max_index)
      add("{}: indices are in [{}, {}], shards.jsonl says [{}, {}]", where,
          lowest, highest, entry.min_index, entry.max_index);
  }

  void check_store(const ShardList& list) {
    const auto where = folder_.string();
    if (!info_->complete) {
      report.notes.push_back(fmt::format(
          "{}: not complete: {} rows so far; the same encode goes on with it",
          where, report.num_rows));
      return;
    }
    if (list.torn)
      add("{}: the last line of shards.jsonl is broken off", where);
    if (info_->count != report.num_rows)
      add("{}: store.json says {} rows, shards.jsonl {}", where, info_->count,
          report.num_rows);
    StoreInfo expected{.kind = info_->kind, .flips = info_->flips};
    set_normalisation(list.entries, expected);
    if (info_->mean != expected.mean || info_->std != expected.std)
      add("{}: mean and std in store.json are not those of the rows", where);
    if (info_->grid_shapes != grid_shapes_of(list.entries))
      add("{}: grid_shapes in store.json are not those of the shards", where);
    const auto source = info_->source.find("count");
    if (source != info_->source.end() && source->is_number_integer() &&
        source->get<int64_t>() > report.num_rows)
      report.notes.push_back(fmt::format(
          "{}: {} of the source's {} images are not stored", where,
          source->get<int64_t>() - report.num_rows, source->get<int64_t>()));
  }

  void look_for_strangers(const ShardList& list) {
    std::vector<std::string> names;
    for (const auto& file : fs::directory_iterator(folder_))
      names.push_back(file.path().filename().string());
    std::sort(names.begin(), names.end());
    for (const auto& name : names) {
      const bool listed =
          std::any_of(list.entries.begin(), list.entries.end(),
                      [&](const auto& each) { return each.file == name; });
      if (!listed && name != "store.json" && name != "shards.jsonl" &&
          name != ".lock")
        report.notes.push_back(fmt::format("{}: is no part of the store",
                                           (folder_ / name).string()));
    }
  }

  fs::path folder_;
  std::optional<StoreInfo> info_;
  std::unordered_map<int64_t, std::string> shard_of_;  // by index
};

}  // namespace

StoreReport verify_store(const fs::path& folder) {
  return Verification(folder).report;
}

}  // namespace calotype
