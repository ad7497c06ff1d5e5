#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace calotype {

/// Class numbers that drawn samples take in turn; -1 for none. `text`: all,
/// none, or names and numbers with commas, of which lines are several: names
/// may hold commas (see parse_class_list), and a class that is called several
/// names with commas has each of them. What is a name is one, also if it is a
/// number. Throws ConfigError for what is no class, or a name of two.
std::vector<int64_t> choose_classes(const std::string& text,
                                    const std::vector<std::string>& names,
                                    int64_t num_classes);

}  // namespace calotype
