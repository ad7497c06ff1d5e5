#include "core/error.h"
#include "core/printable.h"
#include "datasets/decompress.h"

// In the place of decompress.cpp where there is no libarchive.
namespace calotype {

std::unique_ptr<ByteStream> open_by_library(const std::filesystem::path& path) {
  throw ConfigError(printable(path.string()) +
                    ": compressed, and this build decompresses gzip alone; "
                    "decompress it, or build with libarchive-dev installed");
}

}  // namespace calotype
