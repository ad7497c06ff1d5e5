#pragma once

#include <filesystem>
#include <string>

#include "core/files.h"
#include "datasets/image_source.h"
#include "tests/images/image_files.h"

namespace calotype {

/// Writes a file, and the folders above it.
inline void put(const std::filesystem::path& path, const FileBytes& bytes) {
  std::filesystem::create_directories(path.parent_path());
  write_file_atomic(path, bytes);
}

/// One grey pixel.
inline FileBytes small_png(uint8_t value = 7) {
  return encode_png({1, 1, 1, {value}});
}

/// Why open_source() does not take `spec`.
inline std::string refusal_of(const std::string& spec) {
  return config_error_of([&] { open_source(spec); });
}

}  // namespace calotype
