#include "evaluation/feature_source.h"

#include <torch/types.h>

#include <algorithm>

#include "core/error.h"
#include "core/hash.h"
#include "core/progress.h"
#include "core/stop_signal.h"
#include "evaluation/image_pass.h"
#include "nn/safetensors.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

// Of 3,056 numbers, features and logits of FID's Inception: 12 MB.
constexpr int64_t kRowsAtOnce = 1024;
constexpr int64_t kMaxPlaces = int64_t{1} << 33;  // of a store's rows

/// Of rows that have no file: [N,F] contiguous.
std::vector<uint64_t> row_hashes(const at::Tensor& rows) {
  std::vector<uint64_t> hashes;
  for (const auto& row : rows.unbind())
    hashes.push_back(xxh64(
        {static_cast<const uint8_t*>(row.data_ptr()), size_t(row.nbytes())}));
  return hashes;
}

void refuse_non_finite(const std::string& where, const at::Tensor& rows,
                       const at::Tensor& indices) {
  const auto finite = rows.isfinite().all(1);
  if (finite.all().item<bool>()) return;
  const auto row = finite.to(torch::kByte).argmin();
  throw DataError(fmt::format("{}: the features of image {} are not finite",
                              where, indices[row].item<int64_t>()));
}

[[noreturn]] void refuse_place(const std::string& where, int64_t place,
                               int64_t size) {
  throw DataError(fmt::format("{}: a row is of image {}, expected 0 to {}",
                              where, place, size - 1));
}

/// A damaged store may name any place, and others count by it.
void refuse_places_outside(const std::string& where, const at::Tensor& indices,
                           int64_t size) {
  const auto outside = indices.lt(0).logical_or(indices.ge(size));
  if (!outside.any().item<bool>()) return;
  const auto row = outside.to(torch::kByte).argmax();
  refuse_place(where, indices[row].item<int64_t>(), size);
}

}  // namespace

FeatureSource::FeatureSource(const EvaluateJob& job, std::string spec,
                             FeatureNetwork* network)
    : job_(job), spec_(std::move(spec)), network_(network) {
  if (network_) {
    auto preprocessing = job.preprocessing;
    network_->fit(preprocessing);
    images_ = open_source(spec_, preprocessing);
    return;
  }
  if (fs::exists(fs::path(spec_) / "store.json")) {
    store_ = std::make_unique<StoreReader>(spec_);
    if (store_->info().kind == "tokens")
      throw ConfigError(spec_ +
                        ": holds tokens, whose numbers have no distances");
    if (store_->info().grid_shapes.size() != 1)
      throw ConfigError(spec_ +
                        ": holds grids of several shapes; features are rows of "
                        "one length");
    for (const auto place : store_->indices()) {  // gaps: one was skipped
      if (place < 0 || place >= kMaxPlaces)
        refuse_place(spec_, place, kMaxPlaces);
      num_places_ = std::max(num_places_, place + 1);
    }
    return;
  }
  if (!fs::is_regular_file(spec_))
    throw ConfigError(
        spec_ +
        ": expected features: a latent store or a safetensors file with one "
        "tensor [N,F]");
  const auto file = read_safetensors(spec_);
  if (file.tensors.size() != 1 || file.tensors.begin()->second.dim() != 2)
    throw DataError(fmt::format(
        "{}: expected one tensor [N,F], got {} tensors, the first [{}]", spec_,
        file.tensors.size(),
        file.tensors.empty()
            ? ""
            : fmt::format(
                  "{}", fmt::join(file.tensors.begin()->second.sizes(), ","))));
  table_ = file.tensors.begin()->second.to(torch::kFloat);
}

FeatureSource::~FeatureSource() = default;

int64_t FeatureSource::size() const {
  if (images_) return images_->size();
  if (!store_) return table_.size(0);
  return num_places_;
}

std::vector<std::string> FeatureSource::class_names() const {
  if (images_) return images_->class_names();
  return {};
}

FeaturePass FeatureSource::visit(
    const char* label, const std::function<void(const FeatureRows&)>& visit) {
  const auto num_places = size();
  BlockRows blocks(visit);
  const auto checked = [&](const FeatureRows& rows) {
    refuse_places_outside(spec_, rows.indices, num_places);
    refuse_non_finite(spec_, rows.features, rows.indices);
    blocks.add(rows);
  };
  auto pass = visit_any(label, checked);
  blocks.finish();
  return pass;
}

FeaturePass FeatureSource::visit_any(
    const char* label, const std::function<void(const FeatureRows&)>& visit) {
  if (measured_) return visit_measured(visit);
  if (images_) return visit_images(label, visit);
  if (!store_) return visit_table(visit);
  const auto& shape = store_->info().grid_shapes[0];
  return visit_store(label, *store_, shape[0] * shape[1] * shape[2], visit);
}

void FeatureSource::take_from(const MeasuredBlocks& blocks,
                              int64_t first_block) {
  measured_ = &blocks;
  first_block_ = first_block;
}

TensorFile FeatureSource::measure(int64_t block) {
  auto job = job_;
  network_->fit(job.preprocessing);
  const auto range = images_of_block(block, images_->size());
  std::vector<at::Tensor> rows, labels, indices, hashes;
  const auto pass = for_each_batch(
      job, nullptr, images_, 0,
      [&](const ImageBatch& batch) {
        rows.push_back(network_->rows(network_->adapt(batch.images)));
        refuse_non_finite(spec_,
                          rows.back().narrow(1, 0, network_->num_features()),
                          batch.indices);
        labels.push_back(batch.labels);
        indices.push_back(batch.indices);
        hashes.push_back(as_tensor(batch.hashes));
      },
      &range);
  TensorFile measured;
  keep_pass(measured, pass);
  if (!rows.empty())
    measured.tensors = {{"rows", torch::cat(rows)},
                        {"labels", torch::cat(labels)},
                        {"indices", torch::cat(indices)},
                        {"hashes", torch::cat(hashes)}};
  return measured;
}

FeaturePass FeatureSource::visit_measured(
    const std::function<void(const FeatureRows&)>& visit) {
  FeaturePass found;
  double seconds = 0;
  for (int64_t block = 0; block < num_blocks(size()); ++block) {
    throw_if_stopped();
    const auto measured = measured_->read(first_block_ + block);
    const auto pass = kept_pass(measured);
    found.num_images += pass.num_images;
    seconds += pass.seconds;
    found.skipped.insert(found.skipped.end(), pass.skipped.begin(),
                         pass.skipped.end());
    found.notes.add(pass.notes);
    if (pass.num_images == 0) continue;
    const auto of_each = [&](const char* name) {
      return measured.tensors.at(name);
    };
    visit(split_rows(of_each("rows"), network_->num_features(),
                     of_each("labels"), of_each("indices")));
    found.hash.add(of_each("indices"), as_hashes(of_each("hashes")));
  }
  found.images_per_s = double(found.num_images) / std::max(seconds, 1e-9);
  return found;
}

FeaturePass FeatureSource::visit_images(
    const char* label, const std::function<void(const FeatureRows&)>& visit) {
  auto job = job_;
  network_->fit(job.preprocessing);
  FeatureCache cache(job.cache, *network_, *images_, job.preprocessing);
  const auto F = network_->num_features();
  if (cache.stored()) return visit_store(label, *cache.stored(), F, visit);
  FeaturePass found;
  const auto pass =
      for_each_batch(job, label, images_, 0, [&](const ImageBatch& batch) {
        visit(split_rows(cache.rows(batch), F, batch.labels, batch.indices));
        found.hash.add(batch.indices, batch.hashes);
      });
  cache.finish(pass.skipped.empty());
  found.num_images = pass.num_images;
  found.images_per_s = pass.images_per_s;
  found.skipped = pass.skipped;
  found.notes = pass.notes;
  return found;
}

FeaturePass FeatureSource::visit_store(
    const char* label, const StoreReader& store, int64_t num_features,
    const std::function<void(const FeatureRows&)>& visit) {
  Progress progress(label, store.size(), "rows");
  FeaturePass found;
  for (int64_t begin = 0; begin < store.size(); begin += kRowsAtOnce) {
    throw_if_stopped();
    const auto end = std::min(begin + kRowsAtOnce, store.size());
    const auto rows = store.read(torch::arange(begin, end));
    const auto values = rows.grid.mean.flatten(1);
    visit(split_rows(values, num_features,
                     images_ ? labels_of(rows.indices) : rows.labels,
                     rows.indices));
    found.hash.add(rows.indices,
                   store_ ? row_hashes(values.contiguous()) : rows.hashes);
    progress.update(found.num_images = end);
  }
  progress.finish();
  found.images_per_s = progress.rate();
  return found;
}

at::Tensor FeatureSource::labels_of(const at::Tensor& indices) const {
  auto labels = torch::empty_like(indices);
  const auto places = indices.contiguous();
  const auto* place = places.data_ptr<int64_t>();
  auto* label = labels.data_ptr<int64_t>();
  for (int64_t i = 0; i < indices.size(0); ++i)
    label[i] = images_->label(place[i]);
  return labels;
}

FeaturePass FeatureSource::visit_table(
    const std::function<void(const FeatureRows&)>& visit) {
  FeaturePass found;
  found.num_images = table_.size(0);
  const auto all = torch::arange(table_.size(0));
  for (int64_t begin = 0; begin < table_.size(0); begin += kRowsAtOnce) {
    throw_if_stopped();
    const auto count = std::min(kRowsAtOnce, table_.size(0) - begin);
    const auto indices = all.narrow(0, begin, count);
    const auto rows = table_.narrow(0, begin, count);
    visit({.features = rows,
           .labels = torch::full_like(indices, -1),
           .indices = indices});
    found.hash.add(indices, row_hashes(rows.contiguous()));
  }
  return found;
}

}  // namespace calotype
