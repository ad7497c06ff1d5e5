#include "datasets/union_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_set>
#include <utility>

#include "core/note.h"
#include "core/printable.h"
#include "datasets/class_labels.h"

namespace calotype {
namespace {

/// "part-0" of "data/part-0.tar.zst".
std::string short_name(const std::string& spec) {
  const auto name = std::filesystem::path(spec).filename().string();
  const auto short_one = name.substr(0, name.find('.', 1));
  return printable(short_one.empty() ? spec : short_one);
}

class UnionSource : public ImageSource {
 public:
  UnionSource(std::vector<std::unique_ptr<ImageSource>> parts, std::string spec)
      : parts_(std::move(parts)), spec_(std::move(spec)) {
    for (const auto& part : parts_) is_in_order_ |= part->is_in_order();
    std::vector<std::optional<std::string>> called;
    for (uint32_t p = 0; p < parts_.size(); ++p) {
      const auto classes = parts_[p]->class_names();
      for (int64_t i = 0; i < parts_[p]->size(); ++i) {
        const auto label = parts_[p]->label(i);
        images_.push_back({p, i, parts_[p]->name(i)});
        called.push_back(label < 0 ? std::nullopt
                                   : std::optional(classes[size_t(label)]));
      }
    }
    classes_ = class_labels(called);
    for (size_t i = 0; i < images_.size(); ++i)
      images_[i].label = classes_.labels[i];
    classes_.labels = {};
    if (has_doubles()) lead_by_parts();
    if (!is_in_order_) std::ranges::stable_sort(images_, {}, &Image::name);
  }

  int64_t size() const override { return int64_t(images_.size()); }
  SourceImage load(int64_t index) const override {
    return parts_[at(index).part]->load(at(index).index);
  }
  std::string name(int64_t index) const override { return at(index).name; }
  int64_t label(int64_t index) const override { return at(index).label; }
  std::vector<std::string> class_names() const override {
    return classes_.names;
  }
  std::string spec() const override { return spec_; }
  bool is_in_order() const override { return is_in_order_; }

  std::vector<uint64_t> content_hashes(
      const std::vector<int64_t>& indices) const override {
    std::vector<std::vector<int64_t>> of_parts(parts_.size());
    for (const auto index : indices)
      of_parts[at(index).part].push_back(at(index).index);
    std::vector<std::vector<uint64_t>> found;
    for (size_t p = 0; p < parts_.size(); ++p)
      found.push_back(of_parts[p].empty()
                          ? std::vector<uint64_t>()
                          : parts_[p]->content_hashes(of_parts[p]));
    std::vector<size_t> next(parts_.size());
    std::vector<uint64_t> hashes;
    for (const auto index : indices) {
      const auto part = at(index).part;
      hashes.push_back(found[part][next[part]++]);
    }
    return hashes;
  }

  std::vector<std::string> ignored_files() const override {
    std::vector<std::string> all;
    for (const auto& part : parts_)
      for (auto& file : part->ignored_files()) all.push_back(std::move(file));
    return all;
  }

 private:
  struct Image {
    uint32_t part = 0;
    int64_t index = 0;  // in the part
    std::string name;
    int64_t label = -1;
  };

  const Image& at(int64_t index) const { return images_[size_t(index)]; }

  bool has_doubles() const {
    std::unordered_set<std::string_view> names;
    return std::ranges::any_of(images_, [&](const Image& image) {
      return !names.insert(image.name).second;
    });
  }

  void lead_by_parts() {
    std::vector<std::string> leads;
    std::set<std::string> distinct;
    for (const auto& part : parts_) {
      leads.push_back(short_name(part->spec()));
      distinct.insert(leads.back());
    }
    if (distinct.size() < leads.size())
      for (size_t p = 0; p < leads.size(); ++p)
        leads[p] = fmt::format("{:05}", p);
    for (auto& image : images_)
      image.name = leads[image.part] + "/" + image.name;
    note(fmt::format(
        "{}: names stand in several of the {} parts, and each is led by its "
        "part's: {}",
        printable(spec_), parts_.size(), images_.front().name));
  }

  std::vector<std::unique_ptr<ImageSource>> parts_;
  std::string spec_;
  std::vector<Image> images_;
  ClassLabels classes_;
  bool is_in_order_ = false;
};

}  // namespace

std::unique_ptr<ImageSource> make_union(
    std::vector<std::unique_ptr<ImageSource>> parts, const std::string& spec) {
  return std::make_unique<UnionSource>(std::move(parts), spec);
}

}  // namespace calotype
