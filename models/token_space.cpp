#include "models/token_space.h"

#include "core/files.h"
#include "models/image_size.h"

namespace calotype {
namespace {

constexpr const char* kFile = "token_space.json";

}  // namespace

TokenSpace token_space(const StoreReader& store) {
  return {.class_names = store.info().class_names,
          .codec = store.info().codec,
          .image_size = image_size_of(store)};
}

TokenSpace read_token_space(const std::filesystem::path& folder) {
  const auto path = folder / kFile;
  TokenSpace space;
  read_config(read_json_file(path), space, path.string());
  return space;
}

void write_token_space(const std::filesystem::path& folder,
                       const TokenSpace& space) {
  write_file_atomic(folder / kFile, json_text(write_config(space), 2) + "\n");
}

}  // namespace calotype
