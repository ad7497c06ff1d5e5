#include "evaluation/feature_cache.h"

#include <torch/types.h>

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "core/note.h"
#include "datasets/source_record.h"
#include "store/shard_list.h"
#include "store/store_info.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

// Of 3,056 numbers, features and logits of FID's Inception: 12 MB.
constexpr int64_t kRowsPerShard = 1024;

StoreInfo cache_info(const FeatureNetwork& network, const ImageSource& source,
                     const Preprocessing& preprocessing) {
  StoreInfo info;
  info.kind = "latents";
  info.dtype = "fp32";
  info.codec = CodecRecord(network.record());
  info.preprocessing = preprocessing_record(preprocessing);
  info.source = source_record(source);
  info.class_names = source.class_names();
  return identity_of(info);
}

std::string cache_key(const StoreInfo& info) {
  return hex64(xxh64(json_text({{"network", info.codec.json()},
                                {"preprocessing", info.preprocessing},
                                {"fingerprint", info.source["fingerprint"]},
                                {"images", info.source["count"]},
                                {"classes", info.class_names}})));
}

/// The row of each image of a set, -1 where there is none. Throws DataError
/// where a row is of none.
std::vector<int64_t> rows_by_image(const StoreReader& store,
                                   int64_t num_images) {
  std::vector<int64_t> row_of(size_t(num_images), -1);
  const auto indices = store.indices();
  for (size_t row = 0; row < indices.size(); ++row) {
    const auto image = indices[row];
    if (image >= num_images)  // the reader has seen to the rest
      throw DataError(fmt::format("row {} is of image {}, expected one of {}",
                                  row, image, num_images));
    row_of[size_t(image)] = int64_t(row);
  }
  return row_of;
}

/// Throws DataError unless the store is what `info` says, of rows of `row_size`
/// numbers, with the bytes that were written. All of them are read,
/// which costs little beside a network, and the rows are needed anyway.
void check_entry(const StoreReader& store, const StoreInfo& info,
                 int64_t row_size) {
  if (const auto difference = first_difference(store.info(), info);
      !difference.empty())
    throw DataError(difference);
  for (const auto& shape : store.info().grid_shapes)
    if (shape != std::vector<int64_t>{row_size, 1, 1})
      throw DataError(fmt::format("has rows of {}, expected {},1,1",
                                  fmt::join(shape, ","), row_size));
  store.check_hashes();
}

/// The store at `place`, if one is there that was finished.
std::unique_ptr<StoreReader> complete_store(const fs::path& place) {
  if (!fs::exists(place / "store.json")) return nullptr;
  try {
    return std::make_unique<StoreReader>(place);
  } catch (const ConfigError&) {  // broken off, or being written
    return nullptr;
  }
}

/// Takes the files of a store, and only those, out of its folder.
void forget_entry(const fs::path& place) {
  const FolderLock lock(place);
  for (const auto& file : fs::directory_iterator(place)) {
    const auto name = file.path().filename().string();
    if (is_store_file(name) || is_left_by_a_kill(name)) fs::remove(file.path());
  }
}

}  // namespace

FeatureCache::FeatureCache(const fs::path& folder, FeatureNetwork& network,
                           const ImageSource& source,
                           const Preprocessing& preprocessing)
    : network_(network) {
  if (folder.empty()) return;
  const auto info = cache_info(network, source, preprocessing);
  const auto place = folder / cache_key(info);
  try {
    try {
      open(place, info, source.size());
    } catch (const DataError& damage) {
      note(fmt::format("{}: damaged ({}); computed anew", place.string(),
                       damage.what()));
      writer_.reset();
      reader_.reset();
      row_of_.clear();
      forget_entry(place);
      open(place, info, source.size());
    }
  } catch (const FolderInUse&) {
    note(place.string() +
         ": another process is filling it; computed without being kept");
  }
}

FeatureCache::~FeatureCache() = default;

void FeatureCache::open(const fs::path& place, const StoreInfo& info,
                        int64_t num_images) {
  reader_ = complete_store(place);
  if (!reader_) begin_or_go_on(place, info);
  row_of_.assign(size_t(num_images), -1);
  if (!reader_) return;
  check_entry(*reader_, info, network_.num_features() + network_.num_logits());
  row_of_ = rows_by_image(*reader_, num_images);
  if (!writer_ && reader_->size() != num_images)
    throw DataError(
        fmt::format("holds {} rows of {} images", reader_->size(), num_images));
}

void FeatureCache::begin_or_go_on(const fs::path& place,
                                  const StoreInfo& info) {
  try {
    writer_ = std::make_unique<StoreWriter>(place, info, kRowsPerShard);
  } catch (const FolderInUse&) {
    throw;
  } catch (const ConfigError& error) {
    reader_ = complete_store(place);
    if (reader_) return;  // another process has finished it meanwhile
    if (!fs::is_directory(place)) throw;
    throw DataError(error.what());  // what is there is of something else
  }
  if (writer_->num_stored() > 0)  // by a call that was broken off
    reader_ = std::make_unique<StoreReader>(place, /*allow_incomplete=*/true);
}

at::Tensor FeatureCache::rows(const ImageBatch& batch) {
  if (row_of_.empty()) return network_.rows(network_.adapt(batch.images));
  std::vector<int64_t> known, stored, fresh;
  for (int64_t i = 0; i < batch.indices.size(0); ++i) {
    const auto row = row_of_[size_t(batch.indices[i].item<int64_t>())];
    (row < 0 ? fresh : known).push_back(i);
    if (row >= 0) stored.push_back(row);
  }
  auto rows = torch::empty(
      {batch.images.size(0), network_.num_features() + network_.num_logits()});
  if (!known.empty())
    rows.index_copy_(
        0, torch::tensor(known),
        reader_->gather(torch::tensor(stored)).grid.mean.flatten(1));
  if (fresh.empty()) return rows;
  const auto some = torch::tensor(fresh);
  const auto computed =
      network_.rows(network_.adapt(batch.images.index_select(0, some)));
  append(batch, fresh, computed);
  return rows.index_copy_(0, some, computed);
}

void FeatureCache::append(const ImageBatch& batch,
                          const std::vector<int64_t>& places,
                          const at::Tensor& computed) {
  StoreRows rows;
  for (const auto i : places) {
    rows.names.push_back(batch.names[size_t(i)]);
    rows.sizes.push_back(batch.sizes[size_t(i)]);
    rows.hashes.push_back(batch.hashes[size_t(i)]);
  }
  const auto some = torch::tensor(places);
  rows.grid.mean = computed.unsqueeze(-1).unsqueeze(-1);
  rows.labels = batch.labels.index_select(0, some);
  rows.indices = batch.indices.index_select(0, some);
  writer_->append(rows);
}

void FeatureCache::finish(bool whole) {
  if (writer_ && whole) writer_->finish();
}

}  // namespace calotype
