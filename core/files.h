#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

// Files that are either whole or not there.
namespace calotype {

/// The whole file, or all that comes through a pipe, which may be 256 MiB.
/// Throws ConfigError if it cannot be opened ("no such file") or is a folder,
/// DataError if reading breaks off or it is larger than `max_bytes`.
std::vector<uint8_t> read_file(const std::filesystem::path& path,
                               uint64_t max_bytes = UINT64_MAX);

/// Calls visit(bytes) with piece after piece of the file, of 1 MiB at most.
/// Throws as read_file does.
void visit_file(const std::filesystem::path& path,
                const std::function<void(std::span<const uint8_t>)>& visit);

/// At most the first `num_bytes` of it.
std::vector<uint8_t> read_file_head(const std::filesystem::path& path,
                                    size_t num_bytes);

std::string read_text_file(const std::filesystem::path& path);

/// What must outlive a power cut, and what need only outlive a kill: pictures
/// by the thousand, which the same call makes again.
enum class Durability {
  kSynced,   // the disk has the file when the call returns
  kRenamed,  // the system writes it when it likes
};

/// Writes `bytes` under a temporary name in the same folder, syncs, renames
/// over `path` and syncs the folder: after a kill or a power cut `path` holds
/// the old content or the new. Several processes may write to one path; the
/// last one wins. Throws ConfigError (disk full, no permission, `path` is a
/// device) and leaves nothing behind. What a kill leaves behind is taken over
/// by the next call for the same path.
void write_file_atomic(const std::filesystem::path& path,
                       std::span<const uint8_t> bytes,
                       Durability durability = Durability::kSynced);
void write_file_atomic(const std::filesystem::path& path, std::string_view text,
                       Durability durability = Durability::kSynced);

/// Writes `text` as write_file_atomic does, unless `path` is there: of several
/// processes, on whatever machines and file systems, one writes it. Returns
/// whether it was this one.
bool write_file_once(const std::filesystem::path& path, std::string_view text);

/// 16 hex digits that no other process draws.
std::string unique_token();

/// Whether a file of this name is one of write_file_atomic's on its way.
bool is_temporary_name(std::string_view name);

/// Appends `line` and a newline and syncs, the folder too where the file is
/// new. A torn last line of an earlier,
/// killed process is ended first, so that it cannot swallow this one.
void append_line_synced(const std::filesystem::path& path,
                        std::string_view line);

/// Makes names in a folder, new ones and those that went, outlast a power cut;
/// a folder that cannot be opened is left.
void sync_folder(const std::filesystem::path& folder);

/// Makes `path` and its parents. Throws ConfigError.
void make_folder(const std::filesystem::path& path);

/// Another process holds a FolderLock.
struct FolderInUse : ConfigError {
  using ConfigError::ConfigError;
};

/// Holds an exclusive lock on a file for as long as it lives: two writers of
/// one folder must not meet. The system frees the lock when the process dies,
/// however it dies. Throws FolderInUse if another process holds it.
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
