#include "datasets/subset_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace calotype {
namespace {

class SubsetSource : public ImageSource {
 public:
  SubsetSource(std::shared_ptr<const ImageSource> whole,
               std::vector<int64_t> indices, std::string spec)
      : whole_(std::move(whole)),
        indices_(std::move(indices)),
        spec_(std::move(spec)) {}

  int64_t size() const override { return int64_t(indices_.size()); }
  SourceImage load(int64_t index) const override {
    return whole_->load(indices_[size_t(index)]);
  }
  std::string name(int64_t index) const override {
    return whole_->name(indices_[size_t(index)]);
  }
  int64_t label(int64_t index) const override {
    return whole_->label(indices_[size_t(index)]);
  }
  std::vector<std::string> class_names() const override {
    return whole_->class_names();
  }
  std::string spec() const override { return spec_; }
  std::vector<uint64_t> content_hashes(
      const std::vector<int64_t>& indices) const override {
    std::vector<int64_t> of_whole;
    for (const auto index : indices)
      of_whole.push_back(indices_[size_t(index)]);
    return whole_->content_hashes(of_whole);
  }
  bool is_in_order() const override { return whole_->is_in_order(); }
  std::vector<std::string> ignored_files() const override {
    return whole_->ignored_files();
  }

 private:
  std::shared_ptr<const ImageSource> whole_;
  std::vector<int64_t> indices_;
  std::string spec_;
};

}  // namespace

std::unique_ptr<ImageSource> make_slice(
    std::shared_ptr<const ImageSource> whole, int64_t begin, int64_t end,
    const std::string& spec) {
  if (begin < 0 || begin >= end || end > whole->size())
    throw ConfigError(
        fmt::format("{}: expected 0 <= A < B <= {} in [A:B], got [{}:{}]", spec,
                    whole->size(), begin, end));
  std::vector<int64_t> indices(size_t(end - begin));
  std::iota(indices.begin(), indices.end(), begin);
  return std::make_unique<SubsetSource>(std::move(whole), std::move(indices),
                                        spec);
}

std::unique_ptr<ImageSource> select_classes(
    std::shared_ptr<const ImageSource> whole,
    const std::vector<std::string>& names, bool all_others,
    const std::string& spec) {
  const auto known = whole->class_names();
  for (const auto& name : names)
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw ConfigError(fmt::format(
          "{}: has no class \"{}\"; it has {}", spec, name,
          known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", "))));
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < whole->size(); ++i) {
    const auto label = whole->label(i);
    const bool named =
        label >= 0 && std::find(names.begin(), names.end(),
                                known[size_t(label)]) != names.end();
    if (named != all_others) indices.push_back(i);
  }
  if (indices.empty())
    throw ConfigError(fmt::format("{}: no image is left", spec));
  return std::make_unique<SubsetSource>(std::move(whole), std::move(indices),
                                        spec);
}

}  // namespace calotype
