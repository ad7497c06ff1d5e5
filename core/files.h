#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Files that are either whole or not there.
namespace calotype {

/// The whole file. Throws ConfigError if it cannot be opened ("no such file"),
/// DataError if reading breaks off or it is larger than `max_bytes`.
std::vector<uint8_t> read_file(const std::filesystem::path& path,
                               uint64_t max_bytes = UINT64_MAX);

/// At most the first `num_bytes` of it.
std::vector<uint8_t> read_file_head(const std::filesystem::path& path,
                                    size_t num_bytes);

std::string read_text_file(const std::filesystem::path& path);

/// Writes `bytes` under a temporary name in the same folder, syncs, renames
/// over `path` and syncs the folder: after a kill or a power cut `path` holds
/// the old content or the new. Throws ConfigError (disk full, no permission)
/// and leaves nothing behind.
void write_file_atomic(const std::filesystem::path& path,
                       std::span<const uint8_t> bytes);
void write_file_atomic(const std::filesystem::path& path,
                       std::string_view text);

/// Appends `line` and a newline and syncs. A torn last line of an earlier,
/// killed process is ended first, so that it cannot swallow this one.
void append_line_synced(const std::filesystem::path& path,
                        std::string_view line);

/// Makes `path` and its parents. Throws ConfigError.
void make_folder(const std::filesystem::path& path);

/// Holds an exclusive lock on a file for as long as it lives: two writers of
/// one folder must not meet. The system frees the lock when the process dies,
/// however it dies. Throws ConfigError if another process holds it.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace calotype
