#include "datasets/image_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "core/note.h"
#include "core/printable.h"
#include "datasets/file_contents.h"
#include "datasets/folder_classes.h"
#include "datasets/folder_walk.h"
#include "datasets/image_file.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// Says what of a folder with classes is in none of them, or looks like one and
/// is none.
void tell_what_has_no_class(const std::string& where,
                            const FolderContents& contents,
                            const FolderClasses& classes) {
  if (classes.names().empty()) return;
  std::vector<std::string> beside, empty, alike;
  for (const auto& file : contents.images)
    if (classes.label(file) < 0) beside.push_back(file);
  for (const auto& folder : contents.folders)
    if (!classes.has_folder(folder)) empty.push_back(folder);
  std::map<std::string, std::string> lower;
  for (const auto& name : classes.names()) {
    auto small = name;
    for (auto& letter : small)
      letter = char(std::tolower(static_cast<unsigned char>(letter)));
    if (!lower.emplace(small, name).second) alike.push_back(name);
  }
  const auto tell = [&](const std::vector<std::string>& which,
                        const char* what) {
    if (!which.empty())
      note(fmt::format("{}: {} {}: {}", where, which.size(), what,
                       some_names(which)));
  };
  tell(beside, "of the images lie beside the class folders and have no class");
  tell(empty, "of the sub-folders hold no image and are no class");
  tell(contents.doubled,
       "of the sub-folders are links to a folder that was read already, and "
       "left out");
  tell(alike, "of the classes are called like another but for small letters");
}

class ImageFolder : public ImageSource {
 public:
  ImageFolder(fs::path root, FolderContents contents, std::string spec,
              const ImageLimits& limits)
      : root_(std::move(root)),
        spec_(std::move(spec)),
        limits_(limits),
        contents_(root_, contents.images, limits.max_file_bytes()) {
    const auto where = printable(root_.string());
    SetFiles files{.images = contents.images, .others = contents.others};
    std::vector<std::string> notes;
    classes_ = find_classes(
        where, files,
        [&](size_t other) {
          return read_text_file(root_ / files.others[other]);
        },
        notes);
    for (const auto& text : notes) note(text);
    if (notes.empty())
      tell_what_has_no_class(where, contents, FolderClasses(contents.images));
    ignored_ = std::move(contents.ignored);
    paths_ = std::move(files.images);
  }

  int64_t size() const override { return int64_t(paths_.size()); }
  SourceImage load(int64_t index) const override {
    return load_image_file(root_ / paths_[size_t(index)], limits_);
  }
  std::string name(int64_t index) const override {
    return printable(paths_[size_t(index)]);
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
  std::vector<std::string> ignored_files() const override { return ignored_; }

 private:
  fs::path root_;
  std::string spec_;
  ImageLimits limits_;
  FileContents contents_;
  std::vector<std::string> ignored_, paths_;
  ClassLabels classes_;
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
  auto picture = decode_picture(bytes, where, limits);
  return {.image = std::move(picture.image),
          .hash = xxh64(bytes),
          .file_bytes = int64_t(bytes.size()),
          .notes = std::move(picture.notes)};
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
