#include <filesystem>
#include <stdexcept>
#include <string>

#include "core/files.h"

// What core/config.cpp is linked with and no reader of bytes calls.
namespace calotype {

std::string read_text_file(const std::filesystem::path&) {
  throw std::logic_error("a fuzz target reads no files");
}

}  // namespace calotype
