#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace calotype {

/// Classes of two sets are the same where their names are: for each of `from`
/// its position in `to`, or -1 where `to` has no class of that name.
std::vector<int64_t> match_classes(const std::vector<std::string>& from,
                                   const std::vector<std::string>& to);

}  // namespace calotype
