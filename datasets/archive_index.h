#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "datasets/class_labels.h"
#include "datasets/tar_reader.h"

namespace calotype {

/// What an archive holds as a set of images.
struct ArchiveIndex {
  std::vector<TarMember> images;  // sorted by name; by place if in order
  ClassLabels classes;
  std::vector<std::string> others;  // files that are no images, sorted
  std::vector<std::string> notes;   // what there is to say of it, line by line
};

/// Of files that say what images are, each.
inline constexpr uint64_t kMaxLabelBytes = 256 << 20;

/// Gathers the index of an archive member by member.
class IndexBuilder {
 public:
  /// `where`: the archive, as messages call it.
  explicit IndexBuilder(std::string where) : where_(std::move(where)) {}

  /// `content`: gives the member's bytes, and is asked if they decide; or none
  /// if they cannot be had. Those of files that may hold labels are kept.
  void add(
      const TarMember& member,
      const std::function<std::span<const uint8_t>(bool is_label)>& content);

  /// `sorts`: the images by name, else as they were added. Throws DataError if
  /// two files share a name, and as find_classes.
  ArchiveIndex finish(bool sorts);

 private:
  std::string where_;
  std::vector<TarMember> images_;
  std::vector<std::pair<std::string, std::string>> others_;  // name, text
  int64_t num_hidden_ = 0, num_pictures_ = 0;
  uint64_t text_bytes_ = 0;
};

/// The archive's index as it was kept in the user's cache folder (see
/// cache_folder), or what `build` gives, which is then kept: of an archive of
/// this path, size, times and inode. What is damaged or not writable there is
/// nothing kept, and no error. `kind`: of indices that differ.
ArchiveIndex remembered_index(const std::filesystem::path& archive,
                              const std::string& kind,
                              const std::function<ArchiveIndex()>& build);

}  // namespace calotype
