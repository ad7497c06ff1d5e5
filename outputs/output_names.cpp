#include "outputs/output_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <unordered_map>
#include <unordered_set>

#include "core/error.h"
#include "core/hash.h"
#include "core/note.h"
#include "core/printable.h"
#include "datasets/class_folder.h"
#include "images/image_format.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEnding = ".png";

bool is_png(const std::string& name) {
  return lower_extension(name) == kEnding;
}

/// The bytes of a name, which must stay below the folder.
std::string safe_path(const std::string& name) {
  const auto path = fs::path(raw_name(name)).lexically_normal();
  if (path.empty() || path.is_absolute() || *path.begin() == ".." ||
      !path.has_filename() || path.filename() == ".")
    throw DataError(
        fmt::format("image name \"{}\" leads out of the folder", name));
  return path.string();
}

/// The path with a last part that a file system takes.
std::string shortened(const std::string& path) {
  const auto begin = path.rfind('/') + 1;
  return path.substr(0, begin) + shortened_name(path.substr(begin), kEnding);
}

/// Files and the folders that they lie in: a name is one or the other.
class TakenPaths {
 public:
  explicit TakenPaths(const std::vector<std::string>& paths) {
    for (const auto& path : paths)
      for (auto at = path.find('/'); at != path.npos;
           at = path.find('/', at + 1))
        folders_.insert(path.substr(0, at));
  }

  /// False if `path` is a file or a folder already.
  bool take(const std::string& path) {
    return !folders_.contains(path) && files_.insert(path).second;
  }

 private:
  std::unordered_set<std::string> files_, folders_;
};

/// Counts what is told of, and keeps one example.
struct Told {
  size_t count = 0;
  std::string from, to;

  void add(const std::string& name, const std::string& file) {
    if (count++ > 0) return;
    from = name;
    to = printable(file);
  }
};

void tell(const Told& told, const char* what) {
  if (told.count > 0)
    note(fmt::format("{} of the images {}, such as {} in {}", told.count, what,
                     told.from, told.to));
}

}  // namespace

std::string without_image_ending(const std::string& name) {
  return has_image_extension(name) ? fs::path(name).replace_extension().string()
                                   : name;
}

std::vector<std::string> output_names(const std::vector<std::string>& names,
                                      bool tells) {
  std::vector<std::string> paths, files(names.size());
  std::unordered_map<std::string, int64_t> claims;  // on the shorter name
  for (const auto& name : names) paths.push_back(safe_path(name));
  TakenPaths taken(paths);
  for (size_t i = 0; i < names.size(); ++i) {
    if (!is_png(paths[i])) {
      ++claims[without_image_ending(paths[i]) + kEnding];
      continue;
    }
    files[i] = paths[i];
    if (!taken.take(files[i]))
      throw DataError(
          fmt::format("image name \"{}\" stands twice in the set", names[i]));
  }
  Told kept, cut;
  std::unordered_set<std::string> seen;
  for (size_t i = 0; i < names.size(); ++i) {
    if (!files[i].empty()) continue;
    if (!seen.insert(paths[i]).second)
      throw DataError(
          fmt::format("image name \"{}\" stands twice in the set", names[i]));
    const auto shorter = without_image_ending(paths[i]) + kEnding;
    const auto whole = paths[i] + kEnding;
    auto full = claims[shorter] == 1 ? shorter : whole;
    while (!taken.take(shortened(full)))
      full = full == shorter && shorter != whole ? whole : full + kEnding;
    const auto file = shortened(full);
    if (full != shorter) kept.add(names[i], file);
    if (file != full) cut.add(names[i], file);
    files[i] = file;
  }
  if (!tells) return files;
  tell(kept,
       "would share a file with another of the same name and keep their "
       "whole name");
  tell(cut, "have names too long for a file, which are cut");
  return files;
}

}  // namespace calotype
