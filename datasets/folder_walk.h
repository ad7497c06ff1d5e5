#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace calotype {

struct FoundFile {
  std::string
      path;  // below the folder, with '/'; bytes as the file system has them
  int64_t size_bytes = 0;
  int64_t modified_ns = 0;
};

struct FolderContents {
  std::vector<FoundFile> images;     // sorted by the bytes of their paths
  std::vector<std::string> ignored;  // sorted, printable
};

/// What lies below `folder`, at any depth. Hidden files are left out; symbolic
/// links are followed, and each folder is entered once, so that loops end.
/// Images are files with an image's name or an image's content; pipes and
/// devices never are. Throws ConfigError if a folder cannot be read.
FolderContents walk_folder(const std::filesystem::path& folder);

/// Size and time of one file. Throws ConfigError if it is not there.
FoundFile find_file(const std::filesystem::path& path);

/// The first kSniffBytes bytes of a regular file; none if it cannot be read.
std::vector<uint8_t> read_leading_bytes(const std::filesystem::path& path);

}  // namespace calotype
