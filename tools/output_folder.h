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
  std::string command;  // "decode"
  Json settings;        // what its output depends on
  std::function<bool(const std::string& file)>
      makes;  // a path below the folder
  // Whether the pictures are a set, beside which no other file may lie. Of
  // other folders (a report), files that the call does not make are left alone.
  bool is_set = true;
  bool has_fresh = true;  // whether the command has --fresh
};

/// A folder that is filled by one call and by that call alone. What lies in it
/// must be of this very call, which then goes on, or have been removed: nothing
/// is overwritten, and no set has images of two calls. A hidden file, which no
/// set reads, tells the call.
class OutputFolder {
 public:
  /// Touches nothing. Throws ConfigError for a folder that holds what is not of
  /// this call. `fresh`: what the program wrote there may be removed, which a
  /// picture's recipe or the hidden file with a file's hash must prove.
  OutputFolder(const std::filesystem::path& folder, OutputPlan plan,
               bool fresh = false);

  /// Removes what an earlier call left, if it may go, and makes the folder.
  void begin();

  /// To be called when all files are written: they are on the disk then.
  void finish();

  const std::filesystem::path& path() const { return folder_; }

 private:
  struct Contents;
  void refuse_strangers(const Contents& contents, bool fresh) const;
  void write_manifest(const std::optional<Json>& files) const;

  std::filesystem::path folder_;
  OutputPlan plan_;
  std::vector<std::string> to_remove_;
};

/// Throws ConfigError if `file` is there and is not a picture of ours, which a
/// new one may replace.
void expect_own_picture(const std::filesystem::path& file);

/// The same of text, which is ours if `mark` stands among its first bytes.
void expect_own_text(const std::filesystem::path& file,
                     const std::string& mark);

/// Throws ConfigError for a folder that is not empty, unless it holds a file
/// that is called `unless`.
void expect_empty(const std::filesystem::path& folder,
                  const std::string& unless);

}  // namespace calotype
