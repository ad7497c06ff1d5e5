#pragma once

#include <cstdint>
#include <functional>

namespace calotype {

/// Calls visit(i) for each i in [0, count), the files of a set, on several
/// threads where they are many, and tells how far it is. Throws what a visit
/// threw first, and Interrupted.
void for_each_file(int64_t count, const std::function<void(int64_t)>& visit);

}  // namespace calotype
