#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "core/note.h"
#include "core/printable.h"
#include "datasets/class_labels.h"
#include "datasets/file_contents.h"
#include "datasets/image_file.h"
#include "datasets/path_list.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// A path as a name below some folder: what leads out of it is left out, since
/// files are written under such names.
std::string name_of_path(const std::string& written) {
  fs::path name;
  for (const auto& part : fs::path(written).lexically_normal().relative_path())
    if (part != ".." && part != ".") name /= part;
  return name.string();
}

class ListSource : public ImageSource {
 public:
  ListSource(fs::path folder, std::vector<std::string> paths,
             std::vector<std::string> names, ClassLabels classes,
             std::string spec, const ImageLimits& limits)
      : folder_(std::move(folder)),
        paths_(std::move(paths)),
        names_(std::move(names)),
        classes_(std::move(classes)),
        spec_(std::move(spec)),
        limits_(limits),
        contents_(folder_, paths_, limits.max_file_bytes()) {}

  int64_t size() const override { return int64_t(paths_.size()); }
  SourceImage load(int64_t index) const override {
    const auto path = folder_ / paths_[size_t(index)];
    std::error_code error;
    // Reading a pipe could wait for ever.
    if (fs::exists(path, error) && !fs::is_regular_file(path, error))
      throw DataError(printable(path.string()) + ": no file");
    return load_image_file(path, limits_);
  }
  std::string name(int64_t index) const override {
    return printable(names_[size_t(index)]);
  }
  int64_t label(int64_t index) const override {
    return classes_.labels[size_t(index)];
  }
  std::vector<std::string> class_names() const override {
    return classes_.names;
  }
  std::string spec() const override { return spec_; }
  std::vector<uint64_t> content_hashes(
      const std::vector<int64_t>& indices) const override {
    return contents_.hashes(indices);
  }

 private:
  fs::path folder_;
  std::vector<std::string> paths_, names_;
  ClassLabels classes_;
  std::string spec_;
  ImageLimits limits_;
  FileContents contents_;
};

}  // namespace

std::unique_ptr<ImageSource> open_path_list(const fs::path& list,
                                            const std::string& spec,
                                            const ImageLimits& limits) {
  const auto images = read_path_list(list);
  const auto where = printable(list.string());
  if (images.empty())
    throw ConfigError(where + ": no images found in the list");
  std::vector<std::string> paths, names;
  std::vector<std::optional<std::string>> called;
  std::unordered_map<std::string, size_t> first_of;
  for (const auto& image : images) {
    paths.push_back(image.path);
    names.push_back(name_of_path(image.path));
    called.push_back(image.label);
    const auto [found, is_new] = first_of.emplace(names.back(), paths.size());
    if (names.back().empty() || !is_new)
      throw DataError(fmt::format(
          "{}: image {} of the list, {}, {}", where, paths.size(),
          printable(image.path),
          is_new ? "has no name"
                 : fmt::format("is called like image {}", found->second)));
  }
  auto classes = class_labels(called);
  const auto num_without = std::ranges::count(classes.labels, -1);
  if (!classes.names.empty() && num_without > 0)
    note(fmt::format("{}: {} of {} images have no class", where, num_without,
                     images.size()));
  const auto folder =
      list.has_parent_path() ? list.parent_path() : fs::path(".");
  return std::make_unique<ListSource>(folder, std::move(paths),
                                      std::move(names), std::move(classes),
                                      spec, limits);
}

}  // namespace calotype
