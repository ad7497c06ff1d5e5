#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "core/error.h"
#include "images/codecs.h"
#include "images/color_profile.h"
#include "images/exif.h"

// TIFF 6.0, the first page, by libtiff.
namespace calotype {
namespace {

/// What libtiff said last on this thread; its handlers are the process's.
std::string& last_error() {
  thread_local std::string text;
  return text;
}

void take_errors() {
  static std::once_flag once;
  std::call_once(once, [] {
    TIFFSetWarningHandler(nullptr);
    TIFFSetErrorHandler([](const char*, const char* format, va_list values) {
      char text[256];
      std::vsnprintf(text, sizeof text, format, values);
      last_error() = text;
    });
  });
}

struct TiffMemory {
  Bytes bytes;
  uint64_t at = 0;
};

TiffMemory& memory(thandle_t handle) {
  return *static_cast<TiffMemory*>(handle);
}

tmsize_t read_memory(thandle_t handle, void* out, tmsize_t size) {
  auto& file = memory(handle);
  const auto rest =
      file.bytes.subspan(std::min<uint64_t>(file.at, file.bytes.size()));
  const auto count = std::min(size_t(std::max<tmsize_t>(0, size)), rest.size());
  if (count > 0) std::memcpy(out, rest.data(), count);
  file.at += count;
  return tmsize_t(count);
}

toff_t seek_memory(thandle_t handle, toff_t offset, int from) {
  auto& file = memory(handle);
  file.at = from == SEEK_SET   ? offset
            : from == SEEK_CUR ? file.at + offset
                               : file.bytes.size() + offset;
  return file.at;
}

using TiffFile = std::unique_ptr<TIFF, decltype(&TIFFClose)>;

TiffFile open_memory(TiffMemory& file) {
  return {
      TIFFClientOpen(
          "memory", "rm", &file, read_memory,
          [](thandle_t, void*, tmsize_t) -> tmsize_t { return 0; }, seek_memory,
          [](thandle_t) { return 0; },
          [](thandle_t handle) { return toff_t(memory(handle).bytes.size()); },
          [](thandle_t, void**, toff_t*) { return 0; },
          [](thandle_t, void*, toff_t) {}),
      &TIFFClose};
}

uint16_t tag(TIFF* file, uint32_t which, uint16_t otherwise) {
  uint16_t value = otherwise;
  TIFFGetFieldDefaulted(file, which, &value);
  return value;
}

/// The pixels as stored, from left to right and top to bottom, four bytes each,
/// colours already times alpha. Empty if the file breaks off.
std::vector<uint32_t> read_pixels(TIFF* file, int64_t width, int64_t height) {
  TIFFRGBAImage image;
  char reason[1024] = "";
  if (!TIFFRGBAImageBegin(&image, file, /*stop=*/1, reason)) {
    last_error() = reason;
    return {};
  }
  image.req_orientation = image.orientation;  // turned by us, as all others
  std::vector<uint32_t> pixels(size_t(width * height));
  const bool is_whole = TIFFRGBAImageGet(&image, pixels.data(), uint32_t(width),
                                         uint32_t(height)) != 0;
  TIFFRGBAImageEnd(&image);
  if (!is_whole) pixels.clear();
  return pixels;
}

Image on_white(const std::vector<uint32_t>& pixels, int64_t height,
               int64_t width, int64_t channels) {
  Image image{height, width, channels, {}};
  image.pixels.reserve(size_t(height * width * channels));
  for (const auto pixel : pixels) {
    const int white = 255 - int(TIFFGetA(pixel));
    const int colors[] = {int(TIFFGetR(pixel)), int(TIFFGetG(pixel)),
                          int(TIFFGetB(pixel))};
    for (int64_t c = 0; c < channels; ++c)
      image.pixels.push_back(uint8_t(std::min(255, colors[c] + white)));
  }
  return image;
}

}  // namespace

Picture decode_tiff(Bytes bytes, const std::string& where,
                    const ImageLimits& limits) {
  take_errors();
  last_error().clear();
  TiffMemory in_memory{bytes};
  const auto file = open_memory(in_memory);
  if (!file) fail_damaged(where, "TIFF", last_error());
  uint32_t width = 0, height = 0;
  TIFFGetField(file.get(), TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(file.get(), TIFFTAG_IMAGELENGTH, &height);
  check_image_size(where, "TIFF", width, height, limits);
  const auto photometric = tag(file.get(), TIFFTAG_PHOTOMETRIC, 0xffff);
  if (photometric == PHOTOMETRIC_SEPARATED)
    throw DataError(where +
                    ": TIFF in CMYK is not supported; convert it to RGB");
  char reason[1024] = "";
  if (!TIFFRGBAImageOK(file.get(), reason))
    throw DataError(
        fmt::format("{}: this TIFF is not supported ({})", where, reason));
  const auto pixels = read_pixels(file.get(), width, height);
  if (pixels.empty()) fail_damaged(where, "TIFF", last_error());

  Picture picture;
  const bool is_grey = photometric == PHOTOMETRIC_MINISBLACK ||
                       photometric == PHOTOMETRIC_MINISWHITE;
  auto image = on_white(pixels, height, width, is_grey ? 1 : 3);
  uint32_t icc_bytes = 0;
  const void* icc = nullptr;
  if (TIFFGetField(file.get(), TIFFTAG_ICCPROFILE, &icc_bytes, &icc) && icc)
    apply_profile({static_cast<const uint8_t*>(icc), icc_bytes},
                  samples_of(image), limits, picture.notes);
  const int orientation = tag(file.get(), TIFFTAG_ORIENTATION, 1);
  picture.image = apply_orientation(std::move(image), orientation);
  if (!TIFFLastDirectory(file.get()))
    picture.notes.remarks.push_back("of several pages; the first is taken");
  return picture;
}

}  // namespace calotype
