#include "datasets/dataset_roots.h"

#include <cstdlib>

namespace calotype {

std::vector<std::filesystem::path> dataset_roots() {
  namespace fs = std::filesystem;
  std::vector<fs::path> roots;
  if (const char* named = std::getenv("CALOTYPE_DATASETS"))
    roots.emplace_back(named);
  if (const char* data = std::getenv("XDG_DATA_HOME"); data && *data)
    roots.push_back(fs::path(data) / "calotype");
  else if (const char* home = std::getenv("HOME"))
    roots.push_back(fs::path(home) / ".local/share/calotype");
  roots.emplace_back("/usr/share/datasets");
  return roots;
}

}  // namespace calotype
