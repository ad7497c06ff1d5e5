#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <unordered_map>

namespace calotype {

/// What the files of a folder hashed to when they were last read, kept in the
/// user's cache folder ($XDG_CACHE_HOME/calotype, ~/.cache/calotype), so that
/// going on with a job does not read a large set again. A file is known by its
/// path, size, times of change and inode. What is damaged, missing or not
/// writable is nothing remembered, and no error.
class HashMemory {
 public:
  /// `folder`: whose files it is about.
  explicit HashMemory(const std::filesystem::path& folder);

  /// `status`: of the file as it is now.
  std::optional<uint64_t> find(const std::filesystem::path& file,
                               const struct stat& status) const;

  /// `status`: of the file before it was read. A file that changed within the
  /// last two seconds is not remembered: it could change again in the same tick
  /// of the file system's clock.
  void remember(const std::filesystem::path& file, const struct stat& status,
                uint64_t hash);

  /// Keeps on disk what was found or remembered; the rest is forgotten where it
  /// would be more than the folder's `num_files`. All folders' memories
  /// together keep below 256 MiB, the newest ones.
  void save(int64_t num_files);

 private:
  std::filesystem::path file_;  // empty: there is no such folder
  std::unordered_map<uint64_t, uint64_t> old_;  // hash by key
  mutable std::unordered_map<uint64_t, uint64_t> used_;
  bool changed_ = false;
};

}  // namespace calotype
