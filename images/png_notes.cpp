#include "images/png_notes.h"

#include <algorithm>

#include "core/error.h"
#include "images/exif.h"
#include "images/inflate.h"

namespace calotype {
namespace {

constexpr uint64_t kMaxProfile = 16
                                 << 20;  // bytes; of CMYK they have 1 to 3 MB

const PngChunk* find(const std::vector<PngChunk>& chunks,
                     std::string_view type) {
  const auto found = std::ranges::find(chunks, type, &PngChunk::type);
  return found == chunks.end() ? nullptr : &*found;
}

}  // namespace

ImageNotes png_notes(const std::vector<PngChunk>& chunks) {
  ImageNotes notes;
  if (find(chunks, "acTL"))
    notes.remarks.push_back("animated; its first picture is taken");
  return notes;
}

int png_orientation(const std::vector<PngChunk>& chunks,
                    const std::string& where) {
  if (const auto* exif = find(chunks, "eXIf"))
    return exif_orientation(exif->data);
  return exif_orientation(png_raw_exif(chunks, where));
}

std::vector<uint8_t> png_profile(const std::vector<PngChunk>& chunks,
                                 const std::string& where) {
  const auto* chunk = find(chunks, "iCCP");
  if (!chunk) return {};
  // A name, a zero byte, the number of the compression, the profile.
  const auto zero = std::ranges::find(chunk->data, 0);
  const auto head = size_t(zero - chunk->data.begin()) + 2;
  const std::vector<uint8_t> damaged = {0};
  if (head > chunk->data.size()) return damaged;
  try {
    return inflate_all(Wrapping::kZlib, chunk->data.subspan(head), kMaxProfile,
                       where);
  } catch (const DataError&) {  // a profile never costs the picture
    return damaged;
  }
}

}  // namespace calotype
