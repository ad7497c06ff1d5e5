#include "tests/support/temp_folder.h"

#include <stdlib.h>

#include <stdexcept>
#include <string>

namespace calotype {

TempFolder::TempFolder() {
  auto pattern =
      (std::filesystem::temp_directory_path() / "calotype_XXXXXX").string();
  if (!mkdtemp(pattern.data()))
    throw std::runtime_error("cannot make " + pattern);
  path_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace calotype
