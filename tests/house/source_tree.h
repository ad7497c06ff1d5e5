#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

// Rules of the source tree itself, checked by reading it.
namespace calotype {

/// One source file or header.
struct SourceFile {
  std::string path;    // from the root: "images/jpeg.cpp"
  std::string folder;  // the first part of the path: "images"
  std::string text;
  std::vector<std::string> includes;  // as written: "core/error.h", "zlib.h"
};

/// All .h and .cpp files below `root` in the order of their paths, but not
/// those of build folders and hidden ones.
std::vector<SourceFile> read_sources(const std::filesystem::path& root);

/// The folders that each folder may include (docs/ARCHITECTURE.md, the arrows).
const std::map<std::string, std::set<std::string>>& allowed_folders();

/// Each of these returns one line per violation; none for a tree in order.

/// Includes of our own headers against the arrows, and folders without arrows.
std::vector<std::string> wrong_folders(const std::filesystem::path& root);

/// calotype_module's USES against the arrows, and includes of a folder that
/// USES does not reach.
std::vector<std::string> wrong_links(const std::filesystem::path& root);

/// Third parties that are included outside of the one place that knows them,
/// and functions that run what a file says.
std::vector<std::string> wrong_third_parties(const std::filesystem::path& root);

/// Names of the standard library, of LibTorch and of fmt in a file that
/// includes their header neither itself nor through headers of ours: it
/// compiles only behind a precompiled header, or behind another file.
std::vector<std::string> missing_includes(const std::filesystem::path& root);

/// Source files that no CMakeLists.txt beside them names: they are never built.
std::vector<std::string> forgotten_sources(const std::filesystem::path& root);

}  // namespace calotype
