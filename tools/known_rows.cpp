#include "tools/known_rows.h"

#include <ATen/Functions.h>

#include <string>
#include <unordered_map>
#include <utility>

namespace calotype {
namespace {

class WithBlanks : public ImageSource {
 public:
  WithBlanks(std::shared_ptr<const ImageSource> source,
             std::vector<std::array<int32_t, 2>> sizes, int64_t channels)
      : source_(std::move(source)),
        sizes_(std::move(sizes)),
        channels_(channels) {}

  int64_t size() const override { return source_->size(); }
  SourceImage load(int64_t index) const override {
    const auto [height, width] = sizes_[size_t(index)];
    if (height == 0) return source_->load(index);
    const auto num_bytes = size_t(height) * size_t(width) * size_t(channels_);
    return {
        .image = {height, width, channels_, std::vector<uint8_t>(num_bytes)}};
  }
  std::string name(int64_t index) const override {
    return source_->name(index);
  }
  int64_t label(int64_t index) const override { return source_->label(index); }
  std::vector<std::string> class_names() const override {
    return source_->class_names();
  }
  std::string spec() const override { return source_->spec(); }
  std::vector<uint64_t> content_hashes(
      const std::vector<int64_t>& indices) const override {
    return source_->content_hashes(indices);
  }

 private:
  std::shared_ptr<const ImageSource> source_;
  std::vector<std::array<int32_t, 2>> sizes_;
  int64_t channels_;
};

}  // namespace

KnownRows::KnownRows(std::shared_ptr<const StoreReader> store,
                     const ImageSource& source)
    : store_(std::move(store)), rows_(size_t(source.size()), -1) {
  std::unordered_map<std::string, int64_t> row_of;
  for (int64_t row = 0; row < store_->size(); ++row)
    row_of.emplace(store_->facts(row).name, row);
  std::vector<int64_t> found;  // images whose names the store has
  for (int64_t index = 0; index < source.size(); ++index) {
    labels_.push_back(source.label(index));
    if (row_of.contains(source.name(index))) found.push_back(index);
  }
  const auto hashes = source.content_hashes(found);
  is_all_ = source.class_names() == store_->info().class_names &&
            store_->size() == source.size();
  for (size_t i = 0; i < found.size(); ++i) {
    const auto row = row_of.at(source.name(found[i]));
    const auto facts = store_->facts(row);
    if (hashes[i] == 0 || facts.hash != hashes[i]) continue;
    rows_[size_t(found[i])] = row;
    ++count_;
    is_all_ = is_all_ && facts.index == found[i] &&
              facts.label == labels_[size_t(found[i])];
  }
  num_gone_ = store_->size() - int64_t(found.size());
  is_all_ = is_all_ && count_ == source.size();
}

std::array<int32_t, 2> KnownRows::size(int64_t index) const {
  return store_->facts(rows_[size_t(index)]).size;
}

StoreRows KnownRows::read(const std::vector<int64_t>& indices) const {
  std::vector<int64_t> rows, labels;
  for (const auto index : indices) {
    rows.push_back(rows_[size_t(index)]);
    labels.push_back(labels_[size_t(index)]);
  }
  const auto which = at::tensor(rows, at::kLong);
  auto read = store_->read(which);
  if (store_->info().flips)
    read.flipped = store_->read(which, at::ones_like(which, at::kBool)).grid;
  read.labels = at::tensor(labels, at::kLong);
  read.indices = at::tensor(indices, at::kLong);
  return read;
}

std::shared_ptr<const ImageSource> with_blanks(
    std::shared_ptr<const ImageSource> source,
    std::vector<std::array<int32_t, 2>> sizes, int64_t channels) {
  return std::make_shared<WithBlanks>(std::move(source), std::move(sizes),
                                      channels);
}

}  // namespace calotype
