#pragma once

#include <string>
#include <vector>

namespace calotype {

/// The parts of `text` between commas, as they are: "a,b" gives "a" and "b",
/// "" none.
std::vector<std::string> split_at_commas(const std::string& text);

}  // namespace calotype
