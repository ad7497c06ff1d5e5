#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "core/printable.h"
#include "core/zip_archive.h"
#include "datasets/archive_source.h"
#include "datasets/decompress.h"
#include "datasets/tar_reader.h"
#include "images/image_format.h"

namespace calotype {
namespace {

constexpr size_t kHeadBytes = 512;  // a tar's header

bool is_called_tar(const std::filesystem::path& path) {
  static constexpr std::array<std::string_view, 7> kShort = {
      ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tzst", ".tlz"};
  const auto ending = lower_extension(path);
  return std::ranges::find(kShort, ending) != kShort.end() ||
         lower_extension(path.stem()) == ".tar";
}

}  // namespace

ArchiveKind archive_kind(const std::filesystem::path& path) {
  const bool is_tar = is_called_tar(path);
  const bool is_zip = lower_extension(path) == ".zip";
  if (!is_tar && !is_zip) return ArchiveKind::kNone;
  const auto head = read_file_head(path, kHeadBytes);
  const auto where = printable(path.string());
  if (looks_like_zip(head) && is_zip) return ArchiveKind::kZip;
  if (is_zip) throw DataError(where + ": called .zip, and no zip archive");
  // Tars are compressed and keep their names, and the other way round.
  if (!compression_of(head).empty()) return ArchiveKind::kCompressedTar;
  if (looks_like_tar(head)) return ArchiveKind::kTar;
  if (head.size() == kHeadBytes && std::ranges::count(head, 0) == kHeadBytes)
    return ArchiveKind::kTar;
  throw DataError(where + ": called a tar, and neither one nor compressed");
}

}  // namespace calotype
