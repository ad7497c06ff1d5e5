#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace calotype {

/// Names of the classes that a classifier was trained on, class_names.json
/// beside its weights.
void write_class_names(const std::filesystem::path& path,
                       const std::vector<std::string>& names);
std::vector<std::string> read_class_names(const std::filesystem::path& path);

/// For each name its place among the classes that a classifier knows, or -1:
/// classes are the same where their names are (match_classes). A name with "-"
/// for what is no letter, as folders of drawn images used to be called
/// ("T-shirt-top"), stands for the one class that had such a folder, which is
/// told in the name of `where`.
std::vector<int64_t> class_order(const std::string& where,
                                 const std::vector<std::string>& known,
                                 const std::vector<std::string>& names);

}  // namespace calotype
