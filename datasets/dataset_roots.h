#pragma once

#include <filesystem>
#include <vector>

namespace calotype {

/// Folders in which named data sets are looked for: $CALOTYPE_DATASETS, the
/// user's own (where `./run data` puts them), Debian's.
std::vector<std::filesystem::path> dataset_roots();

}  // namespace calotype
