#include "models/project_config.h"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <vector>

#include "core/files.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> candidates(const fs::path& checkpoint) {
  const auto folder =
      fs::is_directory(checkpoint) ? checkpoint : checkpoint.parent_path();
  std::vector<fs::path> paths{folder / (checkpoint.stem().string() + ".yaml"),
                              folder / "config.yaml", folder / "model.yaml"};
  std::error_code ignored;
  for (fs::directory_iterator at(folder / ".." / "configs", ignored), end;
       at != end; at.increment(ignored))
    if (at->path().string().ends_with("-project.yaml"))
      paths.push_back(at->path());
  return paths;
}

/// The value of the first line "target: VALUE" or "class_path: VALUE".
std::string target_in(const fs::path& path) {
  constexpr size_t kMostBytes = 1 << 16;
  const auto head = read_file_head(path, kMostBytes);
  std::istringstream lines(std::string(head.begin(), head.end()));
  for (std::string line; std::getline(lines, line);) {
    std::string_view text = line;
    text.remove_prefix(std::min(text.find_first_not_of(" -"), text.size()));
    for (const std::string_view key : {"target:", "class_path:"}) {
      if (!text.starts_with(key)) continue;
      text.remove_prefix(key.size());
      text.remove_prefix(std::min(text.find_first_not_of(" '\""), text.size()));
      return std::string(text.substr(0, text.find_first_of(" '\"\r")));
    }
  }
  return "";
}

}  // namespace

std::string project_target(const fs::path& checkpoint) {
  std::error_code ignored;
  for (const auto& path : candidates(checkpoint))
    if (fs::is_regular_file(path, ignored))
      if (auto target = target_in(path); !target.empty()) return target;
  return "";
}

}  // namespace calotype
