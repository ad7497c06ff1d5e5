#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "images/image.h"
#include "images/image_io.h"

// Image files made in memory, the odd ones included.
namespace calotype {

using FileBytes = std::vector<uint8_t>;

/// A PNG from its parts, whatever they are.
struct RawPng {
  uint32_t width = 1, height = 1;
  uint8_t bits = 8;
  uint8_t color_type = 0;  // 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA
  bool interlaced = false;
  FileBytes
      rows;  // each behind the number of its filter, as they are compressed
  std::vector<std::pair<std::string, FileBytes>> chunks =
      {};  // ahead of the pixels
};
FileBytes make_png(const RawPng& png);

/// zlib's format.
FileBytes deflated(const FileBytes& bytes);
FileBytes gzipped(const FileBytes& bytes);

/// An EXIF block that holds an orientation and nothing else.
/// `type`: TIFF's number of an integer type (3 SHORT, 4 LONG and so on).
FileBytes make_exif(int orientation, bool big_endian, uint8_t type = 3);

struct JpegSettings {
  int quality = 100;
  /// Horizontal and vertical factor of each component; empty: 1x1 of all.
  std::vector<std::array<int, 2>> sampling = {};
  bool progressive = false;
  bool adobe_marker = true;  // of CMYK
  bool ycck = false;         // of CMYK
};

/// `image` of 1 or 3 channels; 4 are stored as they are and named CMYK.
FileBytes make_jpeg(const Image& image, const JpegSettings& settings);
FileBytes make_jpeg(const Image& image, int quality = 100);

/// The file with another segment behind its first two bytes.
FileBytes with_segment(const FileBytes& jpeg, uint8_t marker,
                       const FileBytes& body);
FileBytes with_exif(const FileBytes& jpeg, const FileBytes& exif);

/// `simple`, a WebP of one chunk, with an ICCP or an EXIF chunk, or both.
FileBytes with_webp_chunks(const FileBytes& simple, int width, int height,
                           const FileBytes& icc, const FileBytes& exif);

/// Lossless; `samples` of 3 channels or, with alpha, 4.
FileBytes make_webp(const FileBytes& samples, int width, int height,
                    int num_samples);

/// Little-endian numbers of `sizes` bytes, for BMP headers and the like.
FileBytes little_endian(std::vector<std::pair<uint32_t, int>> numbers);

FileBytes bytes_of(const std::string& text);
FileBytes joined(std::vector<FileBytes> parts);

/// A grey or colour image with a different value at every place.
Image gradient(int64_t height, int64_t width, int64_t channels);

/// The message of the DataError that `action` throws, or "" if it throws none.
std::string data_error_of(const std::function<void()>& action);
std::string config_error_of(const std::function<void()>& action);

/// The pixels of a file that is called a.img, and what is wrong with it.
inline Image decode(const FileBytes& bytes) {
  return decode_image(bytes, "a.img");
}
inline std::string problem_of(const FileBytes& bytes) {
  return data_error_of([&] { decode(bytes); });
}

}  // namespace calotype
