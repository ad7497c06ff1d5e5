#include "datasets/folder_classes.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "core/printable.h"
#include "datasets/class_folder.h"
#include "datasets/sample_labels.h"

namespace calotype {
namespace {

/// "shirt" of "shirt/12.png"; nothing of "12.png".
std::string top_folder(const std::string& path) {
  const auto slash = path.find('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

void remove_places(std::vector<std::string>& items,
                   const std::vector<size_t>& places) {
  for (const auto place : places) items[place].clear();
  std::erase(items, "");
}

}  // namespace

FolderClasses::FolderClasses(const std::vector<std::string>& images) {
  for (const auto& image : images)
    if (const auto folder = top_folder(image); !folder.empty())
      labels_.emplace(folder, 0);
  std::set<std::string> names;
  for (const auto& item : labels_) names.insert(class_of_folder(item.first));
  // Where two would be called alike, each is called as its folder.
  const bool is_one_to_one = names.size() == labels_.size();
  std::vector<std::pair<std::string, int32_t*>> classes;
  for (auto& [folder, label] : labels_)
    classes.emplace_back(
        is_one_to_one ? class_of_folder(folder) : printable(folder), &label);
  std::ranges::sort(classes);
  for (const auto& [name, label] : classes) {
    *label = int32_t(names_.size());
    names_.push_back(name);
  }
}

int32_t FolderClasses::label(const std::string& path) const {
  const auto found = labels_.find(top_folder(path));
  return found == labels_.end() ? -1 : found->second;
}

ClassLabels find_classes(const std::string& where, SetFiles& files,
                         const std::function<std::string(size_t other)>& read,
                         std::vector<std::string>& notes) {
  if (const auto found =
          find_sample_labels(where, files.images, files.others, read)) {
    auto classes = class_labels(found->called);
    const auto num_without = std::ranges::count(classes.labels, -1);
    notes.push_back(fmt::format(
        "{}: {} classes come from {}{}", where, classes.names.size(),
        found->origin,
        num_without == 0 ? ""
                         : fmt::format("; {} of {} images have none",
                                       num_without, files.images.size())));
    remove_places(files.others, found->used);
    return classes;
  }
  const FolderClasses folders(files.images);
  ClassLabels classes{.names = folders.names()};
  for (const auto& image : files.images)
    classes.labels.push_back(folders.label(image));
  return classes;
}

std::string some_names(const std::vector<std::string>& names) {
  constexpr size_t kShown = 3;
  std::string text;
  for (size_t i = 0; i < std::min(kShown, names.size()); ++i)
    text += (i > 0 ? ", " : "") + printable(names[i]);
  return names.size() <= kShown
             ? text
             : fmt::format("{} and {} others", text, names.size() - kShown);
}

}  // namespace calotype
