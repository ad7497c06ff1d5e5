#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"

namespace calotype {

/// What a call fills a folder with.
struct OutputPlan {
  std::string command;  // "evaluate"
  Json settings;        // what its output depends on
  std::function<bool(const std::string& file)>
      makes;              // a path below the folder
  bool has_fresh = true;  // whether the command has --fresh
};

/// A folder of results (a report) that one call fills, and that call alone. A
/// hidden file in it tells the call and the files' hashes, which prove that
/// they are ours. Files that are called otherwise than the call's are left
/// alone. See SetFolder for images.
class OutputFolder {
 public:
  /// Touches nothing. Throws ConfigError for a folder that holds another call's
  /// results, unless `fresh`, or a file in the way that is not proven to be
  /// ours.
  OutputFolder(const std::filesystem::path& folder, OutputPlan plan,
               bool fresh = false);

  /// Removes what an earlier call left, and makes the folder.
  void begin();

  /// To be called when all files are written: they are on the disk then.
  void finish();

  const std::filesystem::path& path() const { return folder_; }

 private:
  void write_manifest(const std::optional<Json>& files) const;

  std::filesystem::path folder_;
  OutputPlan plan_;
  std::vector<std::string> to_remove_;
};

}  // namespace calotype
