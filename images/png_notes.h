#pragma once

#include <string>
#include <vector>

#include "images/image_notes.h"
#include "images/png_chunks.h"

// What a PNG says of its pixels beside them. Nothing here refuses a picture.
namespace calotype {

/// That it is animated, of which the picture is the first frame.
ImageNotes png_notes(const std::vector<PngChunk>& chunks);

/// From the eXIf chunk, or from the text in which ImageMagick and exiftool put
/// EXIF before there was one; 1 if there is none. `where` is for messages that
/// nobody sees.
int png_orientation(const std::vector<PngChunk>& chunks,
                    const std::string& where);

/// The ICC profile of the iCCP chunk; nothing if there is none, a single byte
/// if it is damaged or above 16 MiB.
std::vector<uint8_t> png_profile(const std::vector<PngChunk>& chunks,
                                 const std::string& where);

/// The EXIF block in a "Raw profile type exif" text; nothing if there is none.
std::vector<uint8_t> png_raw_exif(const std::vector<PngChunk>& chunks,
                                  const std::string& where);

}  // namespace calotype
