#pragma once

#include <string>
#include <vector>

namespace calotype {

/// The names in a list with commas. Names may hold commas themselves: at each
/// place the longest of `known` that stands there is taken, and where none
/// does, what stands ahead of the next comma.
std::vector<std::string> parse_class_list(
    const std::string& text, const std::vector<std::string>& known);

}  // namespace calotype
