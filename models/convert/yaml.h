#pragma once

#include <filesystem>
#include <string>

#include "core/config.h"

namespace calotype {

/// A YAML file as JSON: mappings, lists, texts, numbers, true and false, null.
/// What YAML has beyond that (tags, merged keys, keys that are no texts) is
/// refused, as are keys that stand twice. Throws ConfigError if the file is not
/// there, DataError for what is no such YAML, with its line, and for more than
/// 100,000 values or 64 levels.
Json read_yaml_file(const std::filesystem::path& path);

/// The same of text; `where` leads messages.
Json parse_yaml(const std::string& text, const std::string& where);

}  // namespace calotype
