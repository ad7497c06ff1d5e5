#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace calotype {

struct FolderContents {
  // Below the folder, with '/', bytes as the file system has them, by which
  // they are sorted.
  std::vector<std::string> images;
  std::vector<std::string> ignored;  // sorted, printable
  std::vector<std::string> others;   // files among them, as `images`
  std::vector<std::string> folders;  // directly below, sorted; entered ones
  std::vector<std::string> doubled;  // the same, links to what was entered
};

/// What lies below `folder`, at any depth. Hidden files are left out; symbolic
/// links are followed, and each folder is entered once, so that loops end.
/// Images are files with an image's name or an image's content; pipes and
/// devices never are, nor are the program's own overviews and strips (see
/// is_by_product). Training runs below it and the folders that systems put
/// beside images (__MACOSX) are ignored as a whole. Throws ConfigError if a
/// folder cannot be read.
FolderContents walk_folder(const std::filesystem::path& folder);

/// Whether a path below a set leads through what is left out of it: hidden
/// files and folders, and those that systems put beside images.
bool is_left_out(std::string_view path);

/// The first kSniffBytes bytes of a regular file; none if it cannot be read.
std::vector<uint8_t> read_leading_bytes(const std::filesystem::path& path);

}  // namespace calotype
