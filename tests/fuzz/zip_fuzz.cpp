#include <cstddef>
#include <cstdint>
#include <span>

#include "core/error.h"
#include "core/zip_archive.h"

namespace calotype {
namespace {

// Whatever the bytes are, a zip is read or refused, and no entry lies outside.
void read_zip(std::span<const uint8_t> bytes) {
  try {
    const ZipArchive archive(bytes, "fuzz.zip");
    for (const auto& entry : archive.entries()) try {
        const auto packed = archive.packed(entry);
        if (!packed.empty() &&
            (packed.data() < bytes.data() ||
             packed.data() + packed.size() > bytes.data() + bytes.size()))
          __builtin_trap();
        if (archive.find(entry.name) != &entry) __builtin_trap();
        archive.stored(entry);
      } catch (const DataError&) {
      } catch (const ConfigError&) {
      }
  } catch (const DataError&) {
  } catch (const ConfigError&) {
  }
}

}  // namespace
}  // namespace calotype

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  calotype::read_zip({data, size});
  return 0;
}
