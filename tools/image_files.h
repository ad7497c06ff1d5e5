#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <set>
#include <string>

#include "datasets/image_io.h"

namespace calotype {

/// The overview of a folder of images, a picture beside it: a set's folder
/// holds nothing but the set. "drawn" has "drawn.png".
std::filesystem::path grid_file(const std::filesystem::path& folder);

/// What is being drawn, seen on the way: "drawn" has "drawn.preview.png".
std::filesystem::path preview_file(const std::filesystem::path& folder);

/// Writes images into a folder under names that come from elsewhere (a store, a
/// set), never outside of it.
class ImageFolderWriter {
 public:
  explicit ImageFolderWriter(const std::filesystem::path& folder);

  /// `pixels`: [C,H,W] in [-1,1]. The name's ending becomes .png; a name that
  /// is taken keeps its old ending in front of it. Throws DataError for a name
  /// that leads out of the folder.
  void write(const std::string& name, const at::Tensor& pixels,
             const PngText& text);

 private:
  std::filesystem::path folder_;
  std::set<std::filesystem::path> taken_;
};

}  // namespace calotype
