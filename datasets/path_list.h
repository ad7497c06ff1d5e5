#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasets/image_source.h"

namespace calotype {

/// A line of a list of images.
struct ListedImage {
  std::string path;                  // as written
  std::optional<std::string> label;  // what its class is called
};

/// The images of a list, in its order:
/// - .txt: a path, or a path, a blank or tab, and its class, a line; "#" begins
///   a comment;
/// - .csv: columns "path" ("file_name", "filename", "file", "image") and
/// "label"
///   ("class", "class_name", "cls") by a header, else the first and the second;
/// - .jsonl: an object a line, with keys of these names.
/// Throws DataError, by its line, for what cannot be read.
std::vector<ListedImage> read_path_list(const std::filesystem::path& list);

/// Whether a file of this name is a list.
bool is_called_list(const std::filesystem::path& path);

/// The images of a list, whose paths are relative to its folder and which are
/// called by them. Throws ConfigError if it has none, DataError if two are
/// called alike, and as read_path_list.
std::unique_ptr<ImageSource> open_path_list(const std::filesystem::path& list,
                                            const std::string& spec,
                                            const ImageLimits& limits);

}  // namespace calotype
