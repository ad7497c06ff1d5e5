#include <fmt/format.h>
#include <sys/stat.h>

#include <vector>

#include "core/cache_folder.h"
#include "core/error.h"
#include "core/file_parts.h"
#include "core/files.h"
#include "core/hash.h"
#include "core/note.h"
#include "core/printable.h"
#include "core/stop_signal.h"
#include "datasets/archive_source.h"
#include "datasets/decompress.h"
#include "datasets/file_version.h"

namespace calotype {

namespace fs = std::filesystem;

fs::path unpacked_copy(const fs::path& path) {
  const auto where = printable(path.string());
  const auto cache = cache_folder();
  if (cache.empty())
    throw ConfigError(where +
                      ": no place for a plain copy: neither XDG_CACHE_HOME nor "
                      "HOME is set");
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    throw ConfigError(where + ": no such file");
  const auto version = fs::canonical(path).native() + version_of(status);
  const auto copy = cache / "copies" / (hex64(xxh64(version)) + ".tar");
  if (!fs::is_regular_file(copy)) {
    make_folder(copy.parent_path());
    const auto stream = open_decompressed(path);
    write_parts_atomic(copy, [&](const PartSink& sink) {
      std::vector<uint8_t> part(1 << 20);
      for (size_t count = part.size(); count == part.size();) {
        throw_if_stopped();
        count = stream->read(part);
        sink(std::span(part).first(count));
      }
    });
  }
  note(fmt::format("{}: read from a plain copy of {} MiB, {}", where,
                   (fs::file_size(copy) + (1 << 20) - 1) >> 20,
                   printable(copy.string())));
  return copy;
}

}  // namespace calotype
