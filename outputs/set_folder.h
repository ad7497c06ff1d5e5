#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/config.h"

namespace calotype {

/// A call that fills a folder with the images of a set.
struct SetPlan {
  std::string command;  // "decode"
  Json settings;        // what the images depend on
  std::function<bool(const std::string& file)>
      makes;  // a path below the folder
};

/// A folder of images that one call fills, and that call alone, so that nothing
/// is overwritten and no set has images of two calls. Each image's recipe has
/// the number of its call: what lies there must be of this very one, which then
/// goes on. Hidden files, which no set reads, are nobody's concern.
class SetFolder {
 public:
  /// Touches nothing. Throws ConfigError for a folder that holds anything else.
  /// `fresh`: pictures that carry a recipe of ours may be removed; with a
  /// stranger's image among them nothing is. Files that are no images then
  /// stay.
  SetFolder(const std::filesystem::path& folder, const SetPlan& plan,
            bool fresh);

  /// Removes what may go, and makes the folder.
  void begin();

  /// The recipe of an image, and which call made it.
  Json signed_recipe(Json recipe) const;

  const std::filesystem::path& path() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::string call_;  // 16 hex digits
  std::vector<std::string> to_remove_;
};

}  // namespace calotype
