#include "datasets/image_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "datasets/file_contents.h"
#include "datasets/folder_walk.h"
#include "datasets/image_file.h"
#include "datasets/printable.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> paths_of(const std::vector<FoundFile>& files) {
  std::vector<std::string> paths;
  for (const auto& file : files) paths.push_back(file.path);
  return paths;
}

/// "shirt" of "shirt/12.png"; nothing of "12.png".
std::string top_folder(const std::string& path) {
  const auto slash = path.find('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

class ImageFolder : public ImageSource {
 public:
  ImageFolder(fs::path root, FolderContents contents, std::string spec,
              const ImageLimits& limits)
      : root_(std::move(root)),
        spec_(std::move(spec)),
        limits_(limits),
        contents_(root_, paths_of(contents.images), limits.max_file_bytes()),
        ignored_(std::move(contents.ignored)) {
    std::set<std::string> folders;
    for (const auto& file : contents.images)
      folders.insert(top_folder(file.path));
    if (folders.contains("")) folders.clear();  // images beside the folders
    const std::vector<std::string> classes(folders.begin(), folders.end());
    for (auto& file : contents.images) {
      const auto found =
          std::ranges::lower_bound(classes, top_folder(file.path));
      labels_.push_back(classes.empty() ? -1
                                        : int32_t(found - classes.begin()));
      paths_.push_back(std::move(file.path));
    }
    for (const auto& name : classes) class_names_.push_back(printable(name));
  }

  int64_t size() const override { return int64_t(paths_.size()); }
  SourceImage load(int64_t index) const override {
    return load_image_file(root_ / paths_[size_t(index)], limits_);
  }
  std::string name(int64_t index) const override {
    return printable(paths_[size_t(index)]);
  }
  int64_t label(int64_t index) const override { return labels_[size_t(index)]; }
  std::vector<std::string> class_names() const override { return class_names_; }
  std::string spec() const override { return spec_; }
  std::vector<uint64_t> content_hashes(
      const std::vector<int64_t>& indices) const override {
    return contents_.hashes(indices);
  }
  std::vector<std::string> ignored_files() const override { return ignored_; }

 private:
  fs::path root_;
  std::string spec_;
  ImageLimits limits_;
  FileContents contents_;
  std::vector<std::string> ignored_, paths_, class_names_;
  std::vector<int32_t> labels_;
};

class ImageFile : public ImageSource {
 public:
  ImageFile(fs::path path, std::string spec, const ImageLimits& limits)
      : path_(std::move(path)),
        spec_(std::move(spec)),
        limits_(limits),
        contents_(path_.parent_path(), {path_.filename().string()},
                  limits.max_file_bytes()) {}

  int64_t size() const override { return 1; }
  SourceImage load(int64_t) const override {
    return load_image_file(path_, limits_);
  }
  std::string name(int64_t) const override {
    return printable(path_.filename().string());
  }
  int64_t label(int64_t) const override { return -1; }
  std::vector<std::string> class_names() const override { return {}; }
  std::string spec() const override { return spec_; }
  std::vector<uint64_t> content_hashes(
      const std::vector<int64_t>& indices) const override {
    return contents_.hashes(indices);
  }

 private:
  fs::path path_;
  std::string spec_;
  ImageLimits limits_;
  FileContents contents_;
};

}  // namespace

SourceImage load_image_file(const fs::path& path, const ImageLimits& limits) {
  const auto where = printable(path.string());
  std::vector<uint8_t> bytes;
  try {
    bytes = read_file(path, limits.max_file_bytes());
  } catch (const ConfigError& error) {
    throw DataError(printable(error.what()));
  }
  return {.image = decode_image(bytes, where, limits),
          .hash = xxh64(bytes),
          .file_bytes = int64_t(bytes.size())};
}

std::unique_ptr<ImageSource> open_image_folder(const fs::path& folder,
                                               const std::string& spec,
                                               const ImageLimits& limits) {
  auto contents = walk_folder(folder);
  if (contents.images.empty())
    throw ConfigError(fmt::format("{}: no images found ({} other files)",
                                  printable(folder.string()),
                                  contents.ignored.size()));
  return std::make_unique<ImageFolder>(folder, std::move(contents), spec,
                                       limits);
}

std::unique_ptr<ImageSource> open_image_file(const fs::path& file,
                                             const std::string& spec,
                                             const ImageLimits& limits) {
  return std::make_unique<ImageFile>(file, spec, limits);
}

}  // namespace calotype
