#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "datasets/class_labels.h"

namespace calotype {

/// The classes that the folders of images are: those at the top that hold any,
/// at any depth, in the order of the bytes of their names (see
/// class_of_folder).
class FolderClasses {
 public:
  /// `images`: paths below the set.
  explicit FolderClasses(const std::vector<std::string>& images);

  /// Of an image's path; -1 where it lies in no folder.
  int32_t label(const std::string& path) const;
  const std::vector<std::string>& names() const { return names_; }
  bool has_folder(const std::string& folder) const {
    return labels_.contains(folder);
  }

 private:
  std::map<std::string, int32_t> labels_;  // by folder
  std::vector<std::string> names_;
};

/// What a set holds, wherever it lies.
struct SetFiles {
  std::vector<std::string> images;  // paths below the set, sorted
  std::vector<std::string> others;  // that are no images, sorted
};

/// The classes of the images of a set (see find_sample_labels, then
/// FolderClasses), and one line that says what they come from, where that is
/// not the folders. What was looked at leaves `files.others`. `read`: the text
/// of one of the others. Throws as find_sample_labels.
ClassLabels find_classes(const std::string& where, SetFiles& files,
                         const std::function<std::string(size_t other)>& read,
                         std::vector<std::string>& notes);

/// "cat, dog and 3 others".
std::string some_names(const std::vector<std::string>& names);

}  // namespace calotype
