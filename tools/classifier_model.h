#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "metrics/classifier.h"

namespace calotype {

inline constexpr const char* kClassifierClass = "CalotypeClassifier";

/// Reads a classifier's model folder. Throws ConfigError for another class.
CalotypeClassifier load_classifier(const std::filesystem::path& path);

/// Names of the classes that a classifier was trained on, class_names.json
/// beside its weights.
void write_class_names(const std::filesystem::path& path,
                       const std::vector<std::string>& names);
std::vector<std::string> read_class_names(const std::filesystem::path& path);

/// For each name its place among those that a classifier knows: int64 [names].
/// Folder names that differ only in what a file name cannot hold
/// ("T-shirt/top", "T-shirt-top") are alike. Throws ConfigError, in the name of
/// `where`, for a name that is not among them.
at::Tensor class_order(const std::string& where,
                       const std::vector<std::string>& known,
                       const std::vector<std::string>& names);

/// Whether class_order() finds all of these names; false for no names.
bool knows_classes(const std::vector<std::string>& known,
                   const std::vector<std::string>& names);

/// A class name as a file name can hold it: other than letters and digits
/// become "-".
std::string file_word(std::string text);

}  // namespace calotype
