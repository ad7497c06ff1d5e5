#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <string>
#include <vector>

#include "metrics/classifier.h"

namespace calotype {

inline constexpr const char* kClassifierClass = "CalotypeClassifier";

/// Reads a classifier's model folder. Throws ConfigError for another class.
CalotypeClassifier load_classifier(const std::filesystem::path& path,
                                   c10::Device device);

/// Names of the classes that a classifier was trained on, class_names.json
/// beside its weights.
void write_class_names(const std::filesystem::path& path,
                       const std::vector<std::string>& names);

/// For each name its number in the classifier: int64 [names]. Folder names that
/// differ only in what a file name cannot hold ("T-shirt/top", "T-shirt-top")
/// are alike. Throws ConfigError for a name that the classifier does not know.
at::Tensor class_order(const std::filesystem::path& path,
                       const std::vector<std::string>& names);

/// Whether the classifier was trained on classes of these names, as
/// class_order() understands them; false for no names.
bool knows_classes(const std::filesystem::path& path,
                   const std::vector<std::string>& names);

/// A class name as a file name can hold it: other than letters and digits
/// become "-".
std::string file_word(std::string text);

}  // namespace calotype
